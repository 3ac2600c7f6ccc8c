# SPDX-License-Identifier: GPL-2.0-only
"""``bounceproof simulate``."""

from __future__ import annotations

import sys
from typing import Any

import click

from bounceproof.cli.options import (
    InputError,
    device_of,
    json_option,
    option_error,
    request_options,
    state_of,
)
from bounceproof.cli.questions import interpret_single_requests
from bounceproof.models.defaults import complete
from bounceproof.models.validate import BadInput


@click.command()
@click.argument("kernel")
@request_options
@click.option(
    "--batch",
    metavar="FILE|-",
    help="Requests as JSON lines; outcomes as JSON lines in the same fields.",
)
@json_option
def simulate(kernel: str, batch: str | None, as_json: bool, **options: Any) -> int:
    """Run one request, or a batch, on an empty pool of KERNEL.

    Left out, an option is as on the machine of the 2024 thread: 64 KiB pages and
    granule, path iommu, the nvme mask of KERNEL, a pool of 32768 slots in one area
    at 0xbd800000, start index 0, orig_addr 0x200, 512 bytes.
    """
    state, device = state_of(kernel), device_of(options.pop("device_name"))
    if batch is not None:
        from bounceproof.report.batches import BadLine, answer_lines

        source = _opened(batch)
        try:
            answer_lines(source, sys.stdout.buffer, state, device, options)
        except BadLine as error:
            raise InputError(str(error)) from None
        return 0
    interpret_single_requests()
    from bounceproof.report import simulations

    try:
        fields = complete(state, device, options)
    except BadInput as error:
        raise option_error(error) from None
    click.echo(simulations.render(state, fields, as_json))
    return 0


def _opened(batch: str) -> int:
    if batch == "-":
        return sys.stdin.fileno()
    import os

    try:
        return os.open(batch, os.O_RDONLY)
    except OSError as error:
        raise InputError(f"--batch '{batch}': {error.strerror}") from None
