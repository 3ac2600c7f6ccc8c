# SPDX-License-Identifier: GPL-2.0-only
"""``bounceproof kernels``."""

from __future__ import annotations

import click

from bounceproof.cli.help import LISTS, ending
from bounceproof.cli.output import output_options, show
from bounceproof.report.formats import Output


@click.command(epilog=ending(LISTS, "bounceproof kernels"))
@click.option("--details", is_flag=True, help="Show every decision point.")
@output_options("kernels")
def kernels(details: bool, output: Output) -> int:
    """List the built-in kernel states."""
    from bounceproof.report import listing

    show(listing.kernels(details), output)
    return 0
