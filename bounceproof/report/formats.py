# SPDX-License-Identifier: GPL-2.0-only
"""The one table of output formats: each command gives an answer, each format prints it.

A new format is one entry in :data:`FORMATS`: a function from an :class:`Answer`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bounceproof.report.machine.cases import Cases


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command found, not yet printed.

    ``fields``: its JSON fields.  ``text``: the text for people, with every detail where
    its argument is true.  ``markdown``: its tables, of a command that has any.
    ``cases``: its questions one by one; ``mail``: its findings as a mail.  Each is made
    when a format asks for it.
    """

    command: str
    fields: Callable[[], dict[str, Any]]
    text: Callable[[bool], str]
    markdown: Callable[[], str] | None = None
    cases: Callable[[], Cases] | None = None
    mail: Callable[[], str] | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """How an answer is wanted; ``given`` where the format was asked for by name."""

    format: str = "text"
    verbose: bool = False
    given: bool = False


@dataclass(frozen=True, slots=True)
class Format:
    """A way to print answers; ``commands`` where not every command has it.

    ``short``: there is an option of its own beside ``--format``.
    """

    name: str
    render: Callable[[Answer, Output], str]
    commands: tuple[str, ...] | None = None
    short: bool = False

    def serves(self, command: str) -> bool:
        """Whether ``command`` can be asked for this format."""
        return self.commands is None or command in self.commands


def _text(answer: Answer, output: Output) -> str:
    return answer.text(output.verbose)


def _json(answer: Answer, output: Output) -> str:
    return json.dumps({"schema": 1, "command": answer.command, **answer.fields()})


def _markdown(answer: Answer, output: Output) -> str:
    if answer.markdown is None:
        raise ValueError(f"{answer.command} has no tables")
    return answer.markdown()


def _cases(answer: Answer) -> Cases:
    if answer.cases is None:
        raise ValueError(f"{answer.command} has no cases")
    return answer.cases()


def _sarif(answer: Answer, output: Output) -> str:
    from bounceproof.report.machine.sarif import sarif

    return sarif(_cases(answer))


def _junit(answer: Answer, output: Output) -> str:
    from bounceproof.report.machine.junit import junit

    return junit(_cases(answer))


def _ktap(answer: Answer, output: Output) -> str:
    from bounceproof.report.machine.ktap import ktap

    return ktap(_cases(answer))


def _mail(answer: Answer, output: Output) -> str:
    if answer.mail is None:
        raise ValueError(f"{answer.command} has no mail")
    return answer.mail()


_ASKED = ("check", "prove", "audit")

FORMATS = {
    kind.name: kind
    for kind in (
        Format("text", _text),
        Format("json", _json, short=True),
        Format("markdown", _markdown, ("audit",), short=True),
        Format("mail", _mail, ("check", "prove")),
        Format("sarif", _sarif, _ASKED),
        Format("junit", _junit, _ASKED),
        Format("ktap", _ktap, _ASKED),
    )
}


def formats_of(command: str) -> list[str]:
    """The names of the formats that ``command`` can be asked for."""
    return [kind.name for kind in FORMATS.values() if kind.serves(command)]


def render(answer: Answer, output: Output) -> str:
    """``answer`` in the format wanted."""
    return FORMATS[output.format].render(answer, output)
