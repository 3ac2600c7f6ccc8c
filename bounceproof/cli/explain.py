# SPDX-License-Identifier: GPL-2.0-only
"""``bounceproof explain``."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, BinaryIO

import click

from bounceproof.cli.help import INPUT, OURS, ending
from bounceproof.cli.options import NUMBER, device_of, json_option, option_error
from bounceproof.cli.streams import say, standard_input
from bounceproof.cli.subjects import kernel_options, settings_of
from bounceproof.errors import InputError
from bounceproof.library.logs import check_sizes, named_kernel
from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.request import KernelModel, Path
from bounceproof.models.requests.validate import BadInput

if TYPE_CHECKING:
    from bounceproof.logs.told.version import Nearest


@click.command(
    epilog=ending(
        {
            0: "something was explained, or the log shows a pool and no failure",
            2: f"{INPUT}, or there was nothing to explain",
            3: "the code of a tree cannot be read",
            4: OURS,
        },
        "dmesg | bounceproof explain",
    )
)
@click.argument("log", metavar="[FILE|-]", default="-")
@click.option(
    "--kernel",
    metavar="KERNEL",
    help="Instead of the log's version; what uname -r prints will do.",
)
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
@click.option(
    "--verbose", "-v", is_flag=True, help="Show the arithmetic behind the answer."
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
    verbose: bool,
    as_json: bool,
) -> int:
    """Say why the kernel could not bounce what a log says it could not.

    FILE is dmesg, journalctl, syslog, console output or a mail, plain or packed with
    gzip, xz, bzip2 or zstandard; - or nothing reads standard input.  What the options
    state overrides what the log tells.
    """
    try:
        check_sizes(page_size, granule)
    except BadInput as error:
        raise option_error(error) from None
    if kernel is None and (patches or settings):
        option = f"--patch '{patches[0]}'" if patches else f"--config '{settings[0]}'"
        raise InputError(f"{option}: name the tree with --kernel")
    device = device_of(device_name) if device_name is not None else None

    from bounceproof.logs.explain import Asked, explain
    from bounceproof.logs.judge.candidates import Given
    from bounceproof.logs.read.scan import scan_log
    from bounceproof.report.explain import render_json, render_text

    model, nearest = _kernel_of(kernel, patches, settings)
    state = model.state if isinstance(model, BuiltinKernel) else None
    given = Given(page_size, granule, Path(path) if path is not None else None)
    name = "standard input" if log == "-" else log
    with _opened(log) as stream:
        scan = scan_log(stream, name)
    explanations = list(explain(scan, Asked(model, state, device, given, nearest)))
    if as_json:
        say(render_json(scan, explanations, model))
    else:
        say(render_text(scan, explanations, model, verbose))
    return 0


def _kernel_of(
    kernel: str | None, patches: tuple[str, ...], settings: tuple[str, ...]
) -> tuple[KernelModel | None, Nearest | None]:
    """The kernel that --kernel names: a state, a tree, or what uname -r prints."""
    if kernel is None:
        return None, None
    try:
        return named_kernel(kernel, patches, settings_of(settings))
    except BadInput as error:
        raise option_error(error) from None


def _opened(log: str) -> AbstractContextManager[BinaryIO]:
    if log == "-":
        return nullcontext(standard_input("explain"))
    try:
        return FilePath(log).open("rb")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"{log}: {reason}") from None
