# SPDX-License-Identifier: GPL-2.0-only
"""Defaults of options, from ``bounceproof.toml`` or ``git config bounceproof.*``.

They narrow or widen what is asked, and nothing else: no default runs code or names a
file to write.  What is typed comes first, then the file, then git.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from bounceproof.errors import InputError

FILE = "bounceproof.toml"
EVERY = "defaults"
"""The table of the file that is for every command."""
OFF = "BOUNCEPROOF_NO_DEFAULTS"
"""In the environment: neither file nor git is asked, as scripts want it."""
COMMANDS = ("check", "prove", "fix", "limit", "diff", "theorem", "report", "plot")
"""What takes defaults: questions.  A single request is as it is typed."""
OPTIONS = (
    *("page-size", "granule", "path", "device", "min-align-mask"),
    *("seg-boundary-mask", "pool-start", "nslabs", "nareas", "start-index"),
    *("orig-addr", "size", "size-step", "addr-step", "property", "timeout"),
    "pool-kind",
)
"""What can have one."""
Values = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Source:
    """Where defaults come from, and what they are by option; those of a command are
    apart."""

    name: str
    every: Values
    of: dict[str, Values]

    def values(self, command: str) -> Values:
        """What is said for ``command``: for it alone before what is for every one."""
        return {**self.every, **self.of.get(command, {})}


def _text(where: str, value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    for one in values:
        if isinstance(one, bool) or not isinstance(one, str | int | float):
            raise InputError(f"{where}: not a number, a word or a list of words")
    return [str(one) for one in values]


def _option(where: str, name: str) -> str:
    known = name.replace("_", "-").lower()
    if known not in OPTIONS:
        there = ", ".join(OPTIONS)
        raise InputError(f"{where}: no default of that name; there are {there}")
    return known


def _table(where: str, table: Any) -> Values:
    if not isinstance(table, Mapping):
        raise InputError(f"{where}: not a table")
    return {
        _option(f"{where}, {key}", key): _text(f"{where}, {key}", value)
        for key, value in table.items()
    }


def _found(start: Path) -> Path | None:
    """The file in ``start`` or above it, up to the root of a git tree."""
    for folder in (start, *start.parents):
        if (folder / FILE).is_file():
            return folder / FILE
        if (folder / ".git").exists():
            return None
    return None


def of_file(path: Path) -> Source:
    """The defaults in a file.  Raises InputError."""
    import tomllib

    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None
    for name in told:
        if name != EVERY and name not in COMMANDS:
            known = ", ".join((EVERY, *COMMANDS))
            raise InputError(f"{path}, [{name}]: no such table; there are {known}")
    tables = {name: _table(f"{path}, [{name}]", told[name]) for name in told}
    return Source(str(path), tables.pop(EVERY, {}), tables)


def _git() -> str:
    """What git says, nothing where it says nothing or is not there."""
    asked = ["git", "config", "--null", "--get-regexp", r"^bounceproof\."]
    try:
        ran = subprocess.run(asked, capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return ran.stdout.decode("utf-8", "replace") if ran.returncode == 0 else ""


def of_git(told: str) -> Source:
    """The defaults in what ``git config --null --get-regexp`` prints.

    Raises InputError.
    """
    every: Values = {}
    of: dict[str, Values] = {}
    for entry in filter(None, told.split("\0")):
        key, _, value = entry.partition("\n")
        where = f"git config {key}"
        _, *middle, name = key.split(".")
        command = ".".join(middle)
        if command and command not in COMMANDS:
            raise InputError(f"{where}: {command} takes no defaults")
        table = of.setdefault(command, {}) if command else every
        table.setdefault(_option(where, name), []).append(value)
    return Source("git config", every, of)


def sources() -> list[Source]:
    """Where defaults come from, what counts most first.  Raises InputError."""
    if os.environ.get(OFF):
        return []
    try:
        path = _found(Path.cwd())
    except OSError:
        path = None
    found = [] if path is None else [of_file(path)]
    return [*found, of_git(_git())]


def defaults_of(
    command: click.Command, name: str, found: Iterable[Source]
) -> tuple[dict[str, Any], list[str]]:
    """Defaults by parameter, and a line on each source that gives some."""
    known = {option: p for p in command.params for option in p.opts}
    chosen: dict[str, Any] = {}
    lines = []
    for source in found:
        used = []
        for option, values in source.values(name).items():
            parameter = known.get(f"--{option}")
            if parameter is None or parameter.name in chosen:
                continue
            assert parameter.name is not None
            chosen[parameter.name] = values if parameter.multiple else values[-1]
            used.append(f"--{option} {','.join(values)}")
        if used:
            lines.append(f"defaults of {source.name}: {' '.join(used)}")
    return chosen, lines


def apply(context: click.Context, command: click.Command, name: str) -> list[str]:
    """Give ``command`` its defaults; a line on each source.  Raises InputError."""
    if name not in COMMANDS:
        return []
    chosen, lines = defaults_of(command, name, sources())
    if chosen:
        context.default_map = {**(context.default_map or {}), name: chosen}
    return lines
