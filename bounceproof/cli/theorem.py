# SPDX-License-Identifier: GPL-2.0-only
"""``bounceproof theorem``."""

from __future__ import annotations

import click

from bounceproof.cli.help import VERDICTS, ending
from bounceproof.cli.options import (
    NUMBER,
    device_of,
    page_zero_option,
    timeout_option,
)
from bounceproof.cli.output import output_options, show, waiting
from bounceproof.cli.questions import (
    PROPERTIES,
    interpret_single_requests,
    properties_of,
)
from bounceproof.cli.subjects import model_of
from bounceproof.report.formats import Output

DEFAULT = {"iommu": ("v6.6+will-v4", "v6.9", "v6.10"), "link": ("latest",)}


@click.command(
    epilog=ending(VERDICTS, "bounceproof theorem v6.9 --property fits --granule 64K")
)
@click.argument("kernels", nargs=-1, metavar="[KERNEL]...")
@click.option(
    "--property",
    "properties",
    multiple=True,
    type=click.Choice(PROPERTIES),
    help="A property to ask; all of them if left out.",
)
@click.option("--page-size", type=NUMBER, help="PAGE_SIZE in bytes; all if left out.")
@click.option("--granule", type=NUMBER, help="IOVA granule in bytes.")
@click.option("--min-align-mask", type=NUMBER, help="The device's min_align_mask.")
@click.option(
    "--path",
    type=click.Choice(["iommu", "link"]),
    default="iommu",
    show_default=True,
    help="The way into dma-iommu.",
)
@page_zero_option
@timeout_option
@output_options("theorem")
def theorem(
    kernels: tuple[str, ...],
    properties: tuple[str, ...],
    page_size: int | None,
    granule: int | None,
    min_align_mask: int | None,
    path: str,
    page_zero: bool,
    timeout: float,
    output: Output,
) -> int:
    """Ask whether granule and min_align_mask always work together.

    No granule below IO_TLB_SIZE, no min_align_mask above a granule: does each property
    hold?  A proof, or the smallest counterexample and the weakest side condition that
    makes it true.  Asks about v6.6+will-v4, v6.9 and v6.10 if no KERNEL is named, and
    about the newest release through dma_iova_link().
    """
    interpret_single_requests()
    models = [model_of(name) for name in kernels or DEFAULT[path]]
    from dataclasses import replace

    from bounceproof.cli.options import option_error
    from bounceproof.errors import InputError
    from bounceproof.models.constants import IO_TLB_SIZE
    from bounceproof.models.request import Path
    from bounceproof.models.requests.validate import BadInput, validate_for
    from bounceproof.report import theorems as report
    from bounceproof.solver.contract.properties import applies
    from bounceproof.solver.contract.verdict import exit_code, told
    from bounceproof.solver.limits import theorem as solver

    given = {
        "page_size": page_size,
        "granule": granule,
        "min_align_mask": min_align_mask,
    }
    domain = replace(
        solver.theorem_domain(device_of("generic"), Path(path)),
        page_size=page_size,
        granule=granule,
        min_align_mask=min_align_mask,
        page_zero=page_zero,
    )
    try:
        for model in models:
            validate_for(model, {**given, "path": path})
            if granule is not None and granule < IO_TLB_SIZE:
                why = f"the theorem is about granules of {IO_TLB_SIZE} bytes or more"
                raise InputError(f"--granule {granule}: {why}")
            if not solver.theorem_cells(model, domain):
                raise InputError("--min-align-mask: no granule above it is asked about")
    except BadInput as error:
        raise option_error(error) from None
    wanted = properties_of(properties)
    asked = [prop for prop in wanted if applies(prop, Path(path))]
    if not asked:
        raise InputError(f"--path {path}: {wanted[0].value} is not asked there")
    with waiting() as watch:
        results = [
            solver.theorems(m, domain, asked, timeout, told(watch, "", n, len(models)))
            for n, m in enumerate(models)
        ]
    show(report.answer(results), output)
    return exit_code(t.finding.verdict for r in results for t in r.theorems)
