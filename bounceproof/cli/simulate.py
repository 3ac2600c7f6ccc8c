# SPDX-License-Identifier: GPL-2.0-only
"""``bounceproof simulate``."""

from __future__ import annotations

import errno
import os
import stat
from itertools import pairwise
from typing import Any

import click

from bounceproof.cli.help import INPUT, OURS, ending
from bounceproof.cli.options import (
    device_of,
    no_granule,
    option_error,
    pool_kind_option,
    request_options,
)
from bounceproof.cli.output import output_options, show, waiting
from bounceproof.cli.questions import interpret_single_requests
from bounceproof.cli.streams import say_bytes, standard_input
from bounceproof.cli.subjects import kernel_options, model_of
from bounceproof.errors import InputError
from bounceproof.models.request import KernelModel, Path
from bounceproof.models.requests.defaults import complete
from bounceproof.models.requests.validate import BadInput
from bounceproof.report.formats import Output


@click.command(
    epilog=ending(
        {
            0: "it was run",
            1: "a history broke a property, or --fail-on failed and it did",
            2: INPUT,
            3: "the code of a tree cannot be read",
            4: OURS,
        },
        "bounceproof simulate v6.9 --orig-addr 0x4 --size 197120",
    )
)
@click.argument("kernel")
@kernel_options
@request_options
@pool_kind_option
@click.option(
    "--batch",
    metavar="FILE|-",
    help="Requests as JSON lines; outcomes as JSON lines in the same fields.",
)
@click.option("--taken", metavar="RUNS", help="Slots in use, such as 0-3,8,10-20/2.")
@click.option(
    "--history",
    metavar="FILE|-",
    help="A JSON object: machine, and ops that map, sync and unmap.",
)
@click.option(
    "--fail-on",
    type=click.Choice(["failed"]),
    help="End with exit code 1 where the request is not mapped.",
)
@output_options("simulate")
def simulate(
    kernel: str,
    patches: tuple[str, ...],
    settings: tuple[str, ...],
    batch: str | None,
    taken: str | None,
    history: str | None,
    fail_on: str | None,
    output: Output,
    **options: Any,
) -> int:
    """Run one request, a batch or a history of calls on KERNEL.

    A request finds the pool empty, or with the slots of --taken in use.  Left out, an
    option is as on the machine of the 2024 thread: 64 KiB pages and granule, path
    iommu, the nvme mask of KERNEL, a pool of 32768 slots in one area at 0xbd800000,
    start index 0, orig_addr 0x200, 512 bytes.  A history has its own machine.
    """
    _conflicts(batch, taken, history, fail_on, output, options)
    device = device_of(options.pop("device_name"))
    model = model_of(kernel, patches, settings)
    if batch is not None:
        from bounceproof.report.batches import answer_lines

        with waiting(beside_output=True) as watch:
            answer_lines(_opened(batch), say_bytes, model, device, options, watch)
        return 0
    interpret_single_requests()
    if history is not None:
        return _history(model, history, output)
    from bounceproof.report import simulations

    try:
        fields = complete(model, device, options)
    except BadInput as error:
        raise option_error(error) from None
    _no_granule(options)
    runs = None if taken is None else _runs(taken, fields)
    ran = simulations.run(model, fields, runs, device)
    show(ran.answer(), output)
    return int(fail_on == "failed" and not ran.outcome.ok)


def _conflicts(
    batch: str | None,
    taken: str | None,
    history: str | None,
    fail_on: str | None,
    output: Output,
    options: dict[str, Any],
) -> None:
    """Raise InputError where an option would be ignored."""
    ways = {"--batch": batch, "--history": history, "--taken": taken}
    given = [name for name, value in ways.items() if value is not None]
    if len(given) > 1:
        raise InputError(f"{given[0]} and {given[1]}: choose one")
    if batch is not None and output.given and output.format != "json":
        raise InputError(
            f"--batch and --format {output.format}: answers are JSON lines"
        )
    if (batch or history) is not None and fail_on is not None:
        raise InputError(f"{given[0]} and --fail-on: of a single request alone")
    fixed = [name for name, value in options.items() if value is not None]
    fixed = [name for name in fixed if name != "device_name"]
    if history is not None and fixed:
        option = fixed[0].replace("_", "-")
        raise InputError(f"--history and --{option}: the history has its own machine")


def _no_granule(options: dict[str, Any]) -> None:
    way, granule = options.get("path"), options.get("granule")
    if way is not None and granule is not None and not Path(way).has_granule:
        raise no_granule(way, granule)


def _history(model: KernelModel, source: str, output: Output) -> int:
    from bounceproof.report import histories
    from bounceproof.simulator.history.types import HistoryError

    descriptor = _opened(source, "--history")
    try:
        with open(descriptor, encoding="utf-8", closefd=source != "-") as stream:
            text = stream.read()
        ran = histories.run(model, text)
    except (HistoryError, ValueError, RecursionError) as error:
        raise InputError(f"--history '{source}': {error}") from None
    show(histories.answer(ran), output)
    return int(bool(ran.broken()))


def _run(text: str, part: str, nslabs: int) -> list[tuple[int, int]]:
    span, _, step = part.partition("/")
    first, _, last = span.partition("-")
    try:
        ends, every = (int(first), int(last or first)), int(step or 0)
    except ValueError:
        raise InputError(f"--taken '{text}': '{part}' is no run of slots") from None
    if not 0 <= ends[0] <= ends[1] < nslabs or every < 0:
        raise InputError(f"--taken '{text}': '{part}' is not in the pool")
    if not every:
        return [ends]
    return [(slot, slot) for slot in range(ends[0], ends[1] + 1, every)]


def _runs(text: str, fields: dict[str, Any]) -> list[tuple[int, int]]:
    if fields.get("pool_kind") == "transient":
        raise InputError(f"--taken '{text}': a transient pool is made empty")
    if fields["nareas"] != 1:
        raise InputError(f"--taken '{text}': the pool has more than one area")
    runs: list[tuple[int, int]] = []
    for part in filter(None, text.split(",")):
        runs += _run(text, part, fields["nslabs"])
    for before, after in pairwise(runs):
        if after[0] <= before[1]:
            raise InputError(f"--taken '{text}': slot {after[0]} is out of order")
    return runs


def _opened(batch: str, option: str = "--batch") -> int:
    if batch == "-":
        return standard_input(option).fileno()
    try:
        descriptor = os.open(batch, os.O_RDONLY)
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    except OSError as error:
        raise InputError(f"{option} '{batch}': {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"{option} '{batch}': {error}") from None
    return descriptor
