# SPDX-License-Identifier: GPL-2.0-only
"""``bounceproof prove``."""

from __future__ import annotations

from typing import Any

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
from bounceproof.cli.subjects import base_of, kernel_options, model_of
from bounceproof.errors import InputError
from bounceproof.report.formats import Output


@click.command(
    epilog=ending(
        {
            **VERDICTS,
            1: "one is broken; with --fail-on regression: one regressed",
        },
        "bounceproof prove v6.6+nicolin-v1-1+nicolin-v1-2 --property fits",
        properties=True,
    )
)
@click.argument("kernel")
@kernel_options
@request_options
@pool_kind_option
@question_options
@click.option(
    "--fail-on",
    type=click.Choice(["broken", "regression"]),
    default="broken",
    show_default=True,
    help="What ends with exit code 1.",
)
@output_options("prove", details=True)
def prove(
    kernel: str,
    patches: tuple[str, ...],
    settings: tuple[str, ...],
    properties: tuple[str, ...],
    timeout: float,
    fail_on: str,
    output: Output,
    **options: Any,
) -> int:
    """Prove the contract of KERNEL: a base state with fixes, a tree with patches.

    Shows what the fixes or patches fixed, what is still broken and what regressed: a
    request that the base handles and KERNEL does not, or one that only KERNEL's driver
    may send, in a cell that holds in the base.  Then the base's counterexamples, and
    whether each property holds in KERNEL.
    """
    interpret_single_requests()
    model = model_of(kernel, patches, settings)
    from bounceproof.report import proofs
    from bounceproof.solver.answers.changes import regression_exit_code
    from bounceproof.solver.answers.prove import prove_kernel

    base = base_of(kernel, model, patches, settings)
    if fail_on == "regression" and base == model:
        raise InputError(f"--fail-on regression: {kernel} has no fix and no --patch")
    domain, asked = domain_of([base, model], options), properties_of(properties)
    with waiting() as watch:
        result = prove_kernel(base, model, domain, asked, timeout, watch)
    regressions = fail_on == "regression"
    show(proofs.answer(result, regressions), output)
    return regression_exit_code(result) if regressions else result.exit_code
