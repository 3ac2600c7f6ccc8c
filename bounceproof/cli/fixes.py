# SPDX-License-Identifier: GPL-2.0-only
"""``bounceproof fixes``."""

from __future__ import annotations

import click

from bounceproof.cli.options import json_option
from bounceproof.cli.streams import say


@click.command()
@json_option
def fixes(as_json: bool) -> int:
    """List the built-in fixes."""
    from bounceproof.report import listing

    say(listing.fixes_json() if as_json else listing.fixes_text())
    return 0
