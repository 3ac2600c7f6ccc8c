# SPDX-License-Identifier: GPL-2.0-only
"""``bounceproof conform``."""

from __future__ import annotations

from typing import Any

import click

from bounceproof.cli.options import json_option, request_options, timeout_option
from bounceproof.cli.questions import domain_of
from bounceproof.cli.streams import say
from bounceproof.cli.subjects import kernel_options, model_of, tree_model


@click.command()
@click.argument("kernel")
@click.argument("tree")
@kernel_options
@request_options
@timeout_option
@json_option
def conform(
    kernel: str,
    tree: str,
    patches: tuple[str, ...],
    settings: tuple[str, ...],
    timeout: float,
    as_json: bool,
    **options: Any,
) -> int:
    """Prove that built-in KERNEL and the C code of TREE compute the same.

    Decision by decision and for all inputs, or the smallest input on which they
    differ.  --page-size, --granule, --path and --min-align-mask narrow it down.

    Exit codes: 0 the same, 1 they differ, 2 usage or input, 3 unknown, 4 an error of
    bounceproof's own.
    """
    built, read = model_of(kernel), tree_model(tree, patches, settings)
    from bounceproof.report import conformance
    from bounceproof.report.progress import StatusLine
    from bounceproof.solver.conform import conform as compare

    options["device_name"] = "generic"
    domain = domain_of([built], options)
    with StatusLine() as watch:
        result = compare(built, read, domain, timeout, watch)
    tell = conformance.as_json if as_json else conformance.as_text
    say(tell(built, read, result))
    return result.verdict.exit_code
