# SPDX-License-Identifier: GPL-2.0-only
"""Write ``share/man/man1/bounceproof.1`` from the help of the commands.

python -m tools.man_page           # write it
python -m tools.man_page --print   # print it
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Any

import click

from bounceproof.cli.main import COMMANDS, PROGRAM, bounceproof

PAGE = Path(__file__).parents[1] / "share" / "man" / "man1" / "bounceproof.1"
Block = tuple[bool, str]


def _roff(text: str) -> str:
    """``text`` with what roff reads as commands taken away."""
    escaped = " ".join(text.split())
    escaped = escaped.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped[:1] in (".", "'") else escaped


def _block(block: Block) -> str:
    """A paragraph, or lines that stay as they are."""
    kept, text = block
    if not kept:
        return f".PP\n{_roff(text)}"
    lines = [_kept(line) for line in text.splitlines()]
    return "\n".join([".PP", ".nf", *lines, ".fi"])


def _kept(line: str) -> str:
    escaped = line.rstrip().replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped[:1] in (".", "'") else escaped


def _blocks(text: str | None) -> list[Block]:
    """Paragraphs of a help text; those behind a ``\\b`` keep their lines."""
    found = []
    for part in inspect.cleandoc(text or "").split("\n\n"):
        kept = part.lstrip().startswith("\b")
        clean = part.replace("\b", "").strip("\n")
        if clean.strip():
            found.append((kept, clean))
    return found


def _options(command: click.Command, context: click.Context) -> list[tuple[str, str]]:
    records = (p.get_help_record(context) for p in command.get_params(context))
    return [record for record in records if record is not None]


def _command(name: str, parent: click.Context) -> dict[str, Any]:
    assert isinstance(bounceproof, click.Group)
    command = bounceproof.get_command(parent, name)
    assert command is not None
    context = click.Context(command, info_name=name, parent=parent)
    words = [PROGRAM, name, *command.collect_usage_pieces(context)]
    return {
        "usage": " ".join(words),
        "about": _blocks(command.help),
        "options": _options(command, context),
        "epilog": _blocks(command.epilog),
    }


def text() -> str:
    """The page."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folder = Path(__file__).parent / "templates"
    made = Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    made.filters |= {"roff": _roff, "block": _block}
    parent = click.Context(
        bounceproof, info_name=PROGRAM, **bounceproof.context_settings
    )
    first, *about = _blocks(bounceproof.help)
    return str(
        made.get_template("bounceproof.1.j2").render(
            summary=first[1],
            about=about,
            commands=[_command(name, parent) for name in COMMANDS],
        )
    )


def main() -> None:
    """Write the page, or print it."""
    if "--print" in sys.argv[1:]:
        sys.stdout.write(text())
    else:
        PAGE.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
