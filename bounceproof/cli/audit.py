# SPDX-License-Identifier: GPL-2.0-only
"""``bounceproof audit``."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import closing
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

import click

from bounceproof.cli.help import VERDICTS, ending
from bounceproof.cli.options import (
    NUMBER,
    device_of,
    no_granule,
    option_error,
    state_of,
    timeout_option,
)
from bounceproof.cli.output import output_options, show, waiting
from bounceproof.cli.questions import PROPERTIES
from bounceproof.cli.streams import say
from bounceproof.cli.subjects import is_tree
from bounceproof.errors import InputError
from bounceproof.models.catalog import STATES
from bounceproof.models.constants import PAGE_SIZES
from bounceproof.models.request import Path
from bounceproof.models.requests.validate import BadInput, validate
from bounceproof.report.formats import Output

if TYPE_CHECKING:
    from bounceproof.audit.cells import Selection, Unit
    from bounceproof.audit.executors import Executor
    from bounceproof.audit.run import Line, Progress


@click.command(
    epilog=ending(
        VERDICTS, "bounceproof audit --kernel v6.12 --page-size 4K --path direct"
    )
)
@click.option(
    "--kernel",
    "kernels",
    multiple=True,
    metavar="KERNEL",
    help="A kernel; all built-in states if left out.",
)
@click.option(
    "--property",
    "properties",
    multiple=True,
    type=click.Choice(PROPERTIES),
    help="A property; all of them if left out.",
)
@click.option(
    "--page-size", "page_sizes", multiple=True, type=NUMBER, help="PAGE_SIZE in bytes."
)
@click.option(
    "--granule",
    "granules",
    multiple=True,
    type=NUMBER,
    help="IOVA granule in bytes; asks about dma-iommu.",
)
@click.option(
    "--path",
    "paths",
    multiple=True,
    type=click.Choice([path.value for path in Path]),
    help="The way into swiotlb.",
)
@click.option(
    "--device",
    "devices",
    multiple=True,
    default=["nvme"],
    show_default=True,
    metavar="NAME",
    help="What asks for the mapping; see 'devices'.",
)
@timeout_option
@click.option(
    "--store",
    metavar="FILE",
    help="Where answers are kept, instead of the user's cache directory.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Worker processes; as many as there are CPUs if left out.",
)
@click.option(
    "--dask", metavar="ADDRESS", help="Ask the Dask cluster of this scheduler."
)
@output_options("audit")
def audit(
    timeout: float,
    store: str | None,
    jobs: int | None,
    dask: str | None,
    output: Output,
    **chosen: Any,
) -> int:
    """Ask every property of every kernel in every configuration, one line each.

    Options select kernels, properties and configurations, and may be repeated; what
    is left out is asked in full.  A line is printed once its answer is in the store,
    and what is in the store is not asked again until the tool or the solver changes:
    an audit that was interrupted goes on where it was.  What stayed unknown is asked
    again where --timeout is longer than it was.
    """
    if dask is not None and jobs is not None:
        raise InputError("--jobs and --dask: choose one")
    if store == "":
        raise InputError("--store '': names no file")
    selection = _selection(**chosen)
    units = selection.units()
    if not units:
        raise InputError(_nothing(selection))
    from bounceproof.report import audits

    table = audits.Table(units)
    lines: list[Line] = []
    with waiting() as watch:
        kept = FilePath(store) if store is not None else None
        answered = _lines(units, kept, _executor(jobs, dask), timeout, watch.counted)
        with closing(answered):
            for line in answered:
                lines.append(line)
                if output.format == "text":
                    watch.clear()
                    head = [table.head()] if len(lines) == 1 else []
                    say("\n".join([*head, table.line(line)]))
    show(audits.answer(lines, table), output)
    return audits.exit_code(lines)


def _lines(
    units: list[Unit],
    path: FilePath | None,
    executor: Executor,
    seconds: float,
    progress: Progress,
) -> Generator[Line, None, None]:
    from bounceproof.audit.run import Audit
    from bounceproof.audit.store import Store, default_path

    with Store(path or default_path()) as store:
        audit = Audit(units, store, executor, seconds, progress)
        with closing(audit.lines()) as lines:
            yield from lines


def _executor(jobs: int | None, dask: str | None) -> Executor:
    if dask is not None:
        from bounceproof.audit.cluster import DaskExecutor

        return DaskExecutor(dask)
    from bounceproof.audit.executors import LocalExecutor

    return LocalExecutor(jobs or os.cpu_count() or 1)


def _selection(
    kernels: tuple[str, ...],
    properties: tuple[str, ...],
    page_sizes: tuple[int, ...],
    granules: tuple[int, ...],
    paths: tuple[str, ...],
    devices: tuple[str, ...],
) -> Selection:
    """What the options select, every value checked on its own."""
    for name in kernels:
        if is_tree(name):
            raise InputError(f"--kernel '{name}': a tree; an audit takes built-in ones")
    states = [state_of(name) for name in kernels] or list(STATES.values())
    chosen = [device_of(name) for name in devices]
    try:
        for field, sizes in (("page_size", page_sizes), ("granule", granules)):
            for size in sizes:
                validate({field: size})
    except BadInput as error:
        raise option_error(error) from None
    ways = tuple(Path(path) for path in paths)
    if granules and ways and not any(way.has_granule for way in ways):
        raise no_granule(ways[0], granules[0])
    from bounceproof.audit.cells import Selection
    from bounceproof.solver.contract.properties import Property

    return Selection(
        tuple(states),
        tuple(Property(name) for name in dict.fromkeys(properties or PROPERTIES)),
        tuple(chosen),
        page_sizes,
        granules,
        ways,
    )


def _nothing(selection: Selection) -> str:
    """Why a selection has no configuration, in the words of its options."""
    smallest = min(selection.granules, default=0)
    if smallest > max(selection.page_sizes or PAGE_SIZES):
        return f"--granule {smallest}: larger than every page size asked for"
    names = ", ".join(state.name for state in selection.states)
    paths = ", ".join(selection.paths or ("iommu",))
    return f"--path {paths}: no configuration of {names} has it"
