# SPDX-License-Identifier: GPL-2.0-only
"""``bounceproof plot``."""

from __future__ import annotations

from typing import Any

import click

from bounceproof.cli.asked import asked_of_each
from bounceproof.cli.help import VERDICTS, ending
from bounceproof.cli.options import pool_kind_option, request_options
from bounceproof.cli.output import output_options, show
from bounceproof.cli.questions import question_options
from bounceproof.cli.subjects import kernel_options
from bounceproof.report.formats import Output


@click.command(
    epilog=ending(VERDICTS, "bounceproof plot v6.9 --property fits -o pictures")
)
@click.argument("kernel")
@kernel_options
@request_options
@pool_kind_option
@question_options
@click.option(
    "-o",
    "--output",
    "folder",
    metavar="FOLDER",
    required=True,
    help="Where PROPERTY-map.svg and PROPERTY-slots.svg go; made where it is missing.",
)
@output_options("plot")
def plot(
    kernel: str,
    patches: tuple[str, ...],
    settings: tuple[str, ...],
    properties: tuple[str, ...],
    timeout: float,
    folder: str,
    output: Output,
    **options: Any,
) -> int:
    """Draw what breaks KERNEL as SVG: size by address, and the slot set.

    A map has the sizes and addresses that break a property, with the driver's limit and
    the true one; a slot set shows the smallest request.
    """
    from bounceproof.report.files import require_folder, write_whole
    from bounceproof.report.page.render import drawn, pictures, require_libraries

    require_libraries()
    require_folder("--output", folder)
    given = ((kernel,), patches, settings, properties, timeout, options)
    [found] = asked_of_each(*given)
    from bounceproof.report.page.content import of_check

    kernel_drawn, files = of_check(found.kernel), []
    for name, text in pictures(kernel_drawn):
        files.append(f"{folder}/{name}")
        write_whole("--output", files[-1], text)
    show(drawn(kernel_drawn, files), output)
    return found.kernel.exit_code
