# SPDX-License-Identifier: GPL-2.0-only
"""``bounceproof explain``."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path as FilePath
from typing import BinaryIO

import click

from bounceproof.cli.options import NUMBER, device_of, json_option
from bounceproof.cli.streams import say, standard_input
from bounceproof.cli.subjects import kernel_options, model_of
from bounceproof.errors import InputError
from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.constants import PAGE_SIZES
from bounceproof.models.request import Path


@click.command()
@click.argument("log", metavar="[FILE|-]", default="-")
@click.option("--kernel", metavar="KERNEL", help="Instead of the log's version.")
@kernel_options
@click.option("--page-size", type=NUMBER, help="PAGE_SIZE in bytes.")
@click.option("--granule", type=NUMBER, help="IOVA granule in bytes.")
@click.option(
    "--path", type=click.Choice(["direct", "iommu"]), help="The way into swiotlb."
)
@click.option(
    "--device",
    "device_name",
    metavar="NAME",
    help="What asked for the mapping, instead of the driver in the line.",
)
@json_option
def explain(
    log: str,
    kernel: str | None,
    patches: tuple[str, ...],
    settings: tuple[str, ...],
    page_size: int | None,
    granule: int | None,
    path: str | None,
    device_name: str | None,
    as_json: bool,
) -> int:
    """Say which requests print the swiotlb messages of a kernel log.

    FILE is dmesg, journalctl, syslog or console output, plain text; - or nothing
    reads standard input.  What the options state overrides what the log tells.
    Exit code 0 where something was explained, 2 where there was nothing to explain.
    """
    for name, value in (("--page-size", page_size), ("--granule", granule)):
        if value is not None and value not in PAGE_SIZES:
            raise InputError(f"{name} {value}: not 4096, 16384 or 65536")
    if kernel is None and (patches or settings):
        option = f"--patch '{patches[0]}'" if patches else f"--config '{settings[0]}'"
        raise InputError(f"{option}: name the tree with --kernel")
    model = model_of(kernel, patches, settings) if kernel is not None else None
    state = model.state if isinstance(model, BuiltinKernel) else None
    device = device_of(device_name) if device_name is not None else None

    from bounceproof.logs.candidates import Given
    from bounceproof.logs.explain import Asked, explain
    from bounceproof.logs.scan import scan_log
    from bounceproof.report.explain import render_json, render_text

    given = Given(page_size, granule, Path(path) if path is not None else None)
    name = "standard input" if log == "-" else log
    with _opened(log) as stream:
        scan = scan_log(stream, name)
    explanations = list(explain(scan, Asked(model, state, device, given)))
    render = render_json if as_json else render_text
    say(render(scan, explanations, model))
    return 0


def _opened(log: str) -> AbstractContextManager[BinaryIO]:
    if log == "-":
        return nullcontext(standard_input("explain"))
    try:
        return FilePath(log).open("rb")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"{log}: {reason}") from None
