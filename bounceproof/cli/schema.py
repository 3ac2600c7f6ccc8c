# SPDX-License-Identifier: GPL-2.0-only
"""``bounceproof schema``."""

from __future__ import annotations

import json

import click

from bounceproof.cli.help import LISTS, ending
from bounceproof.cli.streams import say
from bounceproof.errors import InputError


@click.command(epilog=ending(LISTS, "bounceproof schema check"))
@click.argument("command", required=False)
def schema(command: str | None) -> int:
    """Print the JSON Schema of what COMMAND --json prints.

    Without COMMAND, the commands that have one.
    """
    from bounceproof.report import schemas

    known = schemas.commands()
    if command is None:
        say("\n".join(known))
        return 0
    if command not in known:
        raise InputError(f"no schema of '{command}': only of {', '.join(known)}")
    say(json.dumps(schemas.schema_of(command), indent=2))
    return 0
