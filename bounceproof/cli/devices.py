# SPDX-License-Identifier: GPL-2.0-only
"""``bounceproof devices``."""

from __future__ import annotations

import click

from bounceproof.cli.options import json_option
from bounceproof.cli.streams import say


@click.command()
@json_option
def devices(as_json: bool) -> int:
    """List the built-in devices."""
    from bounceproof.report import listing

    say(listing.devices_json() if as_json else listing.devices_text())
    return 0
