# SPDX-License-Identifier: GPL-2.0-only
"""``bounceproof fix``."""

from __future__ import annotations

from typing import Any

import click

from bounceproof.cli.help import INPUT, OURS, ending
from bounceproof.cli.options import pool_kind_option, request_options, state_of
from bounceproof.cli.output import output_options, show, waiting
from bounceproof.cli.questions import (
    PROPERTIES,
    domain_of,
    interpret_single_requests,
    properties_of,
    question_options,
)
from bounceproof.cli.subjects import is_tree
from bounceproof.errors import InputError
from bounceproof.models.builtin import BuiltinKernel
from bounceproof.report.formats import Output

_CODES = {
    0: "a smallest set is proved, or nothing is broken",
    1: "it is proved that no set of known fixes does it",
    2: INPUT,
    3: "unknown",
    4: OURS,
}


@click.command(
    epilog=ending(
        _CODES,
        "bounceproof fix v6.6 --property fits --page-size 64K --granule 64K",
        properties=True,
    )
)
@click.argument("kernel")
@request_options
@pool_kind_option
@question_options
@click.option("--merged", is_flag=True, help="Only fixes that mainline has as commits.")
@click.option(
    "--may-break",
    "losses",
    multiple=True,
    type=click.Choice(PROPERTIES),
    help="A property that may break although it holds before.",
)
@output_options("fix", details=True)
def fix(
    kernel: str,
    properties: tuple[str, ...],
    timeout: float,
    merged: bool,
    losses: tuple[str, ...],
    output: Output,
    **options: Any,
) -> int:
    """Find the smallest sets of known fixes for KERNEL, a built-in state.

    After each of them every property asked holds, and none breaks that held before in a
    configuration.  Every smaller set has a request that breaks it, which --verbose
    shows.  Where no set does it, says what stays broken at best.
    """
    if is_tree(kernel):
        raise InputError(f"{kernel} is a tree: name the built-in state that it is")
    interpret_single_requests()
    state = state_of(kernel)
    from bounceproof.models.catalog import FIXES
    from bounceproof.report import fixing
    from bounceproof.solver.fixes.answer import Question, fix_kernel

    domain = domain_of([BuiltinKernel(state)], options)
    known = tuple(one for one in FIXES.values() if one.origin.merged or not merged)
    asked = properties_of(properties)
    may_break = frozenset(properties_of(losses)) if losses else frozenset()
    with waiting() as watch:
        question = Question(state, domain, tuple(asked), known, may_break)
        result = fix_kernel(question, timeout, watch)
    show(fixing.answer(result), output)
    return result.verdict.exit_code
