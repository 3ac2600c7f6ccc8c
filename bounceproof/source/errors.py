# SPDX-License-Identifier: GPL-2.0-only
"""What can go wrong while reading a kernel; each message is one line."""

from __future__ import annotations

from bounceproof.errors import InputError
from bounceproof.models.formulas.search import (
    LimitOpen,
    NoClosedForm,
    NoSearchRule,
    NotRead,
)


class SourceError(InputError):
    """An input error: the tree, the patch or its C code cannot be used."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split())[:600])


class TreeError(SourceError):
    """The tree, revision or archive cannot be read."""


class PatchError(SourceError):
    """A patch cannot be read or does not apply."""


class NotUnderstood(SourceError, NotRead):
    """C code that the reader does not understand.

    ``file`` and ``line`` (from 1) say where, ``text`` is the code, ``need`` what the
    reader would have to know.
    """

    def __init__(self, file: str, line: int, text: str, need: str) -> None:
        self.file, self.line, self.text, self.need = file, line, text, need
        shown = " ".join(text.split())[:160]
        super().__init__(f"{file}:{line}: not understood: `{shown}`: {need}")


class UnknownSearch(NotUnderstood, NoSearchRule):
    """The slot search is C that the reader knows, in a shape that it does not."""

    @classmethod
    def of(cls, error: NotUnderstood) -> UnknownSearch:
        """The same complaint, of the search alone."""
        return cls(error.file, error.line, error.text, error.need)


class UnprovedCaller(NotUnderstood, NoClosedForm):
    """What a mapping makes of a request is not proved to be what was read of it."""

    @classmethod
    def of(cls, error: NotUnderstood) -> UnprovedCaller:
        """The same complaint, of what surrounds the search."""
        return cls(error.file, error.line, error.text, error.need)


class UnprovedLimit(NotUnderstood, LimitOpen):
    """A limit is not proved to be the same for all pools."""


class UninitialisedRead(NotUnderstood):
    """The code reads a variable that nothing was assigned to."""


class KernelBug(SourceError):
    """The code runs into BUG(), BUG_ON() or panic()."""

    def __init__(self, file: str, line: int, text: str) -> None:
        self.file, self.line, self.text = file, line, text
        super().__init__(f"{file}:{line}: the kernel stops: `{text[:160]}`")


class Endless(SourceError):
    """The code loops for ever: a loop came back to a state it had been in."""

    def __init__(self, file: str, line: int) -> None:
        self.file, self.line = file, line
        super().__init__(f"{file}:{line}: the loop does not end")
