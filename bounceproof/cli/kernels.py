# SPDX-License-Identifier: GPL-2.0-only
"""``bounceproof kernels``."""

from __future__ import annotations

import click

from bounceproof.cli.options import json_option
from bounceproof.cli.streams import say


@click.command()
@click.option("--details", is_flag=True, help="Show every decision point.")
@json_option
def kernels(details: bool, as_json: bool) -> int:
    """List the built-in kernel states."""
    from bounceproof.report import listing

    say(listing.kernels_json() if as_json else listing.kernels_text(details))
    return 0
