# SPDX-License-Identifier: GPL-2.0-only
"""``bounceproof diff``."""

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
from bounceproof.cli.subjects import is_tree, kernel_options, model_of
from bounceproof.report.formats import Output


@click.command(
    epilog=ending(
        {**VERDICTS, 0: "the two agree on the whole domain", 1: "they differ"},
        "bounceproof diff v6.9 v6.10 --page-size 4K --path iommu",
    )
)
@click.argument("a")
@click.argument("b")
@kernel_options
@request_options
@pool_kind_option
@question_options
@output_options("diff")
def diff(
    a: str,
    b: str,
    patches: tuple[str, ...],
    settings: tuple[str, ...],
    properties: tuple[str, ...],
    timeout: float,
    output: Output,
    **options: Any,
) -> int:
    """Show the requests on which the kernels A and B differ, class by class.

    Both get the same request, each with the mask and the limit of its own driver; a
    request counts if at least one of the two drivers may send it.  Classes exclude
    each other and cover every difference.  --property names what mappings are judged
    by; aligned if left out.  --patch is applied to B.
    """
    interpret_single_requests()
    models = [model_of(a, (), settings if is_tree(a) else ())]
    models.append(model_of(b, patches, settings if is_tree(b) else ()))
    from bounceproof.report import differences as report
    from bounceproof.solver.compare.differ import differences
    from bounceproof.solver.compare.differ_side import side_of

    domain = domain_of(models, options)
    judged = properties_of(properties or ("aligned",))
    one, other = (side_of(model) for model in models)
    with waiting() as watch:
        result = differences(one, other, domain, judged, timeout, watch)
    show(report.answer(result), output)
    return result.exit_code
