# SPDX-License-Identifier: GPL-2.0-only
"""``bounceproof devices``."""

from __future__ import annotations

import click

from bounceproof.cli.help import LISTS, ending
from bounceproof.cli.output import output_options, show
from bounceproof.report.formats import Output


@click.command(epilog=ending(LISTS, "bounceproof devices"))
@output_options("devices")
def devices(output: Output) -> int:
    """List the built-in devices."""
    from bounceproof.report import listing

    show(listing.devices(), output)
    return 0
