# SPDX-License-Identifier: GPL-2.0-only
"""``bounceproof check``."""

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
from bounceproof.cli.subjects import (
    kernel_options,
    model_of,
    natively_confirmed,
)
from bounceproof.report.formats import Output


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
@output_options("check", details=True)
def check(
    kernel: str,
    patches: tuple[str, ...],
    settings: tuple[str, ...],
    properties: tuple[str, ...],
    timeout: float,
    native: bool,
    output: Output,
    **options: Any,
) -> int:
    """Check the contract of KERNEL.

    An option fixes a field; what is left out ranges over its whole domain.
    """
    interpret_single_requests()
    model = model_of(kernel, patches, settings)
    from bounceproof.report import checks
    from bounceproof.solver.answers.check import check_kernel

    domain = domain_of([model], options)
    asked = properties_of(properties)
    with waiting() as watch:
        result = check_kernel(model, domain, asked, timeout, watch)
    if native:
        result = natively_confirmed(model, result)
    show(checks.answer(result), output)
    return result.exit_code
