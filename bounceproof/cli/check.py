# SPDX-License-Identifier: GPL-2.0-only
"""``bounceproof check``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bounceproof.cli.help import VERDICTS, ending
from bounceproof.cli.options import pool_kind_option, request_options
from bounceproof.cli.output import output_options, show, waiting
from bounceproof.cli.questions import (
    domain_of,
    interpret_single_requests,
    properties_of,
    question_options,
)
from bounceproof.cli.streams import say
from bounceproof.cli.subjects import (
    kernel_options,
    model_of,
    natively_confirmed,
)
from bounceproof.errors import InputError
from bounceproof.models.request import KernelModel, Path
from bounceproof.models.requests.devices import DRIVERS
from bounceproof.report.formats import Output

if TYPE_CHECKING:
    from bounceproof.solver.contract.domain import Domain

EVERY_DEVICE = "all"


@click.command(
    epilog=ending(
        VERDICTS,
        "bounceproof check v6.9 --page-size 64K --property fits",
        properties=True,
    )
)
@click.argument("kernel")
@kernel_options
@request_options
@pool_kind_option
@question_options
@click.option(
    "--native",
    is_flag=True,
    help="Also compile and run the tree's own functions to confirm.  This executes "
    "code of the tree and its patches, without network where the system allows to take "
    "it away, which is said where it does not: a fence, no jail, so never the default.",
)
@click.option(
    "--reproducer",
    type=click.Choice(["c", "fio", "kunit"]),
    help="Print a program that makes a running kernel hit the counterexample.",
)
@output_options("check", details=True)
def check(
    kernel: str,
    patches: tuple[str, ...],
    settings: tuple[str, ...],
    properties: tuple[str, ...],
    timeout: float,
    native: bool,
    reproducer: str | None,
    output: Output,
    **options: Any,
) -> int:
    """Check the contract of KERNEL.

    An option fixes a field; what is left out ranges over its whole domain.
    --device all asks about the device of every driver, one after the other.
    """
    interpret_single_requests()
    if reproducer is not None and output.given:
        raise InputError("--reproducer: prints a program, not a --format")
    model = model_of(kernel, patches, settings)
    if options["device_name"] == EVERY_DEVICE:
        alone = ("--native", native), ("--reproducer", reproducer)
        for name, given in (*alone, ("--format mail", output.format == "mail")):
            if given:
                raise InputError(f"{name}: name one device")
        return _every_device(model, properties, timeout, output, options)
    from bounceproof.report import checks
    from bounceproof.solver.answers.check import check_kernel

    domain = domain_of([model], options)
    asked = properties_of(properties)
    with waiting() as watch:
        result = check_kernel(model, domain, asked, timeout, watch)
    if native:
        result = natively_confirmed(model, result)
    if reproducer is None:
        show(checks.answer(result), output)
    else:
        from bounceproof.report.reproducers import make

        say(make.reproducer(reproducer, result))
    return result.exit_code


def _every_device(
    model: KernelModel,
    properties: tuple[str, ...],
    timeout: float,
    output: Output,
    options: dict[str, Any],
) -> int:
    """``--device all``: a check of each driver's device."""
    from bounceproof.report import fleet
    from bounceproof.solver.answers.check import check_kernel
    from bounceproof.solver.contract.verdict import told

    asked, results = properties_of(properties), []
    domains, without = _domains(model, options)
    with waiting() as watch:
        for number, domain in enumerate(domains):
            hears = told(watch, domain.device.name, number, len(domains))
            results.append(check_kernel(model, domain, asked, timeout, hears))
    show(fleet.answer(results, without), output)
    return fleet.exit_code_of(results)


def _domains(
    model: KernelModel, options: dict[str, Any]
) -> tuple[list[Domain], dict[str, str]]:
    """The domain of each driver's device, and why others have none.

    Raises InputError where none has one.
    """
    found: list[Domain] = []
    without: dict[str, str] = {}
    for device in DRIVERS:
        path = options["path"]
        if path is not None and Path(path) not in device.paths:
            without[device.name] = f"it does not take path {path}"
            continue
        try:
            found.append(domain_of([model], {**options, "device_name": device.name}))
        except InputError as error:
            without[device.name] = str(error)
    if not found:
        raise InputError(f"--device all: {next(iter(without.values()))}")
    return found, without
