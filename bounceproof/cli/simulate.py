# SPDX-License-Identifier: GPL-2.0-only
"""``bounceproof simulate``."""

from __future__ import annotations

import errno
import os
import stat
from itertools import pairwise
from typing import Any

import click

from bounceproof.cli.options import (
    device_of,
    json_option,
    option_error,
    pool_kind_option,
    request_options,
)
from bounceproof.cli.questions import interpret_single_requests
from bounceproof.cli.streams import say, say_bytes, standard_input
from bounceproof.cli.subjects import kernel_options, model_of
from bounceproof.errors import InputError
from bounceproof.models.defaults import complete
from bounceproof.models.request import KernelModel
from bounceproof.models.validate import BadInput


@click.command()
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
@json_option
def simulate(
    kernel: str,
    patches: tuple[str, ...],
    settings: tuple[str, ...],
    batch: str | None,
    taken: str | None,
    history: str | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Run one request, or a batch, on an empty pool of KERNEL.

    Left out, an option is as on the machine of the 2024 thread: 64 KiB pages and
    granule, path iommu, the nvme mask of KERNEL, a pool of 32768 slots in one area
    at 0xbd800000, start index 0, orig_addr 0x200, 512 bytes.
    """
    device = device_of(options.pop("device_name"))
    model = model_of(kernel, patches, settings)
    if batch is not None:
        from bounceproof.report.batches import answer_lines

        answer_lines(_opened(batch), say_bytes, model, device, options)
        return 0
    interpret_single_requests()
    from bounceproof.report import simulations

    if history is not None:
        return _history(model, history, as_json)

    try:
        fields = complete(model, device, options)
    except BadInput as error:
        raise option_error(error) from None
    runs = None if taken is None else _runs(taken, fields)
    say(simulations.render(model, fields, as_json, runs))
    return 0


def _history(model: KernelModel, source: str, as_json: bool) -> int:
    from bounceproof.report import histories
    from bounceproof.simulator.history_types import HistoryError

    descriptor = _opened(source, "--history")
    try:
        with open(descriptor, encoding="utf-8", closefd=source != "-") as stream:
            text = stream.read()
        told = histories.render(model, text, as_json)
    except (HistoryError, ValueError, RecursionError) as error:
        raise InputError(f"--history '{source}': {error}") from None
    say(told)
    return 0


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
