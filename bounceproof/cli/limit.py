# SPDX-License-Identifier: GPL-2.0-only
"""``bounceproof limit``."""

from __future__ import annotations

from typing import Any

import click

from bounceproof.cli.help import VERDICTS, ending
from bounceproof.cli.options import (
    NUMBER,
    page_zero_option,
    pool_kind_option,
    request_options,
    timeout_option,
)
from bounceproof.cli.output import output_options, show, waiting
from bounceproof.cli.questions import domain_of, interpret_single_requests
from bounceproof.cli.subjects import kernel_options, model_of
from bounceproof.report.formats import Output


@click.command(
    epilog=ending(
        {**VERDICTS, 0: "the driver's limit is safe", 1: "it is too high somewhere"},
        "bounceproof limit v6.9 --path direct --page-size 4K",
    )
)
@click.argument("kernel")
@kernel_options
@request_options
@pool_kind_option
@click.option("--size-step", type=NUMBER, help="Sizes are multiples of this.")
@click.option("--addr-step", type=NUMBER, help="Addresses too.")
@page_zero_option
@timeout_option
@output_options("limit")
def limit(
    kernel: str,
    patches: tuple[str, ...],
    settings: tuple[str, ...],
    timeout: float,
    output: Output,
    **options: Any,
) -> int:
    """Find the largest size that every request may have in KERNEL.

    Asks which sizes an empty pool always satisfies, whatever the driver's limit; shows
    the driver's beside it.  Areas of one slot set, where the search may give up early,
    are asked about apart unless --nslabs or --nareas is given.
    """
    interpret_single_requests()
    model = model_of(kernel, patches, settings)
    from bounceproof.report import limits as report
    from bounceproof.solver.compare.differ_side import side_of
    from bounceproof.solver.limits.limit import limits

    domain = domain_of([model], options)
    with waiting() as watch:
        result = limits(side_of(model), domain, timeout, watch)
    show(report.answer(result), output)
    return result.verdict.exit_code
