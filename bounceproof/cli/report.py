# SPDX-License-Identifier: GPL-2.0-only
"""``bounceproof report``."""

from __future__ import annotations

from typing import Any

import click

from bounceproof.cli.asked import asked_of_each
from bounceproof.cli.help import VERDICTS, ending
from bounceproof.cli.options import pool_kind_option, request_options
from bounceproof.cli.output import output_options, show
from bounceproof.cli.questions import question_options
from bounceproof.cli.streams import say
from bounceproof.cli.subjects import kernel_options
from bounceproof.errors import InputError
from bounceproof.report.formats import Output


@click.command(
    epilog=ending(VERDICTS, "bounceproof report v6.9 --property fits -o report.html")
)
@click.argument("kernels", nargs=-1, required=True, metavar="KERNEL...")
@kernel_options
@request_options
@pool_kind_option
@question_options
@click.option(
    "-o",
    "--output",
    "file",
    metavar="FILE.html",
    required=True,
    help="The page; - prints it.",
)
@output_options("report")
def report(
    kernels: tuple[str, ...],
    patches: tuple[str, ...],
    settings: tuple[str, ...],
    properties: tuple[str, ...],
    timeout: float,
    file: str,
    output: Output,
    **options: Any,
) -> int:
    """Write one HTML page about KERNELs, with pictures.

    A kernel with fixes, or a tree with --patch, is compared with what it is without.
    The page needs no network and reads without JavaScript.
    """
    from bounceproof.report.files import require_file, write_whole
    from bounceproof.report.page.render import require_libraries, small_page, written

    require_libraries()
    if file != "-":
        require_file("--output", file)
    elif output.given:
        raise InputError(f"--output -: the page is printed; --format {output.format}")
    if len(dict.fromkeys(kernels)) < len(kernels):
        raise InputError(f"KERNEL '{_twice(kernels)}': named twice")
    given = (kernels, patches, settings, properties, timeout, options)
    found = asked_of_each(*given)
    from bounceproof.report.page.content import of_proof

    text = small_page(lambda coarser: [of_proof(one, coarser) for one in found])
    if file == "-":
        say(text)
    else:
        write_whole("--output", file, text)
        show(written(found, file, len(text.encode())), output)
    return max(one.exit_code for one in found)


def _twice(names: tuple[str, ...]) -> str:
    return next(name for name in names if names.count(name) > 1)
