# SPDX-License-Identifier: GPL-2.0-only
"""``bounceproof conform``."""

from __future__ import annotations

from typing import Any

import click

from bounceproof.cli.help import VERDICTS, ending
from bounceproof.cli.options import request_options, timeout_option
from bounceproof.cli.output import output_options, show, waiting
from bounceproof.cli.questions import domain_of
from bounceproof.cli.subjects import kernel_options, model_of, tree_model
from bounceproof.report.formats import Output


@click.command(
    epilog=ending(
        {**VERDICTS, 0: "the same", 1: "they differ"},
        "bounceproof conform v6.12.107 ~/linux --path direct --page-size 4K",
    )
)
@click.argument("kernel")
@click.argument("tree")
@kernel_options
@request_options
@timeout_option
@output_options("conform")
def conform(
    kernel: str,
    tree: str,
    patches: tuple[str, ...],
    settings: tuple[str, ...],
    timeout: float,
    output: Output,
    **options: Any,
) -> int:
    """Prove that built-in KERNEL and the C code of TREE compute the same.

    Decision by decision and for all inputs, or the smallest input on which they
    differ.  --page-size, --granule, --path and --min-align-mask narrow it down.
    """
    built, read = model_of(kernel), tree_model(tree, patches, settings)
    from bounceproof.report import conformance
    from bounceproof.solver.compare.conform import conform as compare

    options["device_name"] = "generic"
    domain = domain_of([built], options)
    with waiting() as watch:
        result = compare(built, read, domain, timeout, watch)
    show(conformance.answer(built, read, result), output)
    return result.verdict.exit_code
