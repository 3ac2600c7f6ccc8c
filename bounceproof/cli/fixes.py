# SPDX-License-Identifier: GPL-2.0-only
"""``bounceproof fixes``."""

from __future__ import annotations

import click

from bounceproof.cli.help import LISTS, ending
from bounceproof.cli.output import output_options, show
from bounceproof.report.formats import Output


@click.command(epilog=ending(LISTS, "bounceproof fixes"))
@output_options("fixes")
def fixes(output: Output) -> int:
    """List the built-in fixes."""
    from bounceproof.report import listing

    show(listing.fixes(), output)
    return 0
