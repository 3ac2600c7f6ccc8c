# SPDX-License-Identifier: GPL-2.0-only
"""``bounceproof bisect``."""

from __future__ import annotations

from typing import Any

import click

from bounceproof.cli.help import INPUT, OURS, ending
from bounceproof.cli.options import page_zero_option, request_options, timeout_option
from bounceproof.cli.output import output_options, show, waiting
from bounceproof.cli.questions import (
    PROPERTIES,
    domain_of,
    interpret_single_requests,
    properties_of,
)
from bounceproof.cli.subjects import tree_model
from bounceproof.errors import InputError
from bounceproof.report.formats import Output


@click.command(
    epilog=ending(
        {0: "the commit was found", 2: INPUT, 3: "no verdict", 4: OURS},
        "bounceproof bisect fits ~/linux v6.1 v6.2 --path iommu --page-size 64K",
    )
)
@click.argument("property_name", metavar="PROPERTY", type=click.Choice(PROPERTIES))
@click.argument("tree")
@click.argument("good")
@click.argument("bad")
@request_options
@page_zero_option
@timeout_option
@output_options("bisect")
def bisect(
    property_name: str,
    tree: str,
    good: str,
    bad: str,
    timeout: float,
    output: Output,
    **options: Any,
) -> int:
    """Find the commit of a git TREE that broke or fixed PROPERTY.

    GOOD and BAD are revisions with different verdicts, GOOD the older one.  Only
    commits that touch the files that matter are read, each distinct content once.
    """
    interpret_single_requests()
    from bounceproof.report import bisection
    from bounceproof.solver.answers.check import check_kernel
    from bounceproof.solver.contract.verdict import Verdict, told
    from bounceproof.source.tree.revisions import Revision, revisions

    domain = domain_of([], options)
    properties = properties_of((property_name,))

    with waiting() as watch:

        def judge(revision: Revision) -> Verdict:
            model = tree_model(f"{tree}@{revision.commit}")
            hears = told(watch, f"commit {revision.commit[:12]}")
            return check_kernel(model, domain, properties, timeout, hears).verdict

        try:
            found = bisection.bisect(revisions(tree, good, bad), judge)
        except bisection.NoBisection as error:
            raise InputError(f"{good}..{bad}: {error}") from None
    show(bisection.answer(property_name, tree, found), output)
    return 0
