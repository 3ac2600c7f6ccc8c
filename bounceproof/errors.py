# SPDX-License-Identifier: GPL-2.0-only
"""What ends a command: an error knows its exit code and says itself in one line.

Any other exception is an error of ours, see :func:`bounceproof.cli.main.main`.
"""

from __future__ import annotations

OURS = 4
"""The exit code of an error of ours, which is never shown as a verdict."""
LONGEST = 600
"""Characters of a message, at most."""


def one_line(text: str) -> str:
    """``text`` as one line of at most :data:`LONGEST` characters."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 3]}..."


class BounceproofError(Exception):
    """The base of every error that a user is told of; ``exit_code`` goes with it."""

    exit_code = OURS

    @property
    def message(self) -> str:
        """The error as one line."""
        return one_line(str(self))


class InputError(BounceproofError):
    """Bad input: the message names it."""

    exit_code = 2


class OutputError(BounceproofError):
    """Standard output takes nothing; the message has the system's reason."""

    exit_code = 2


class PipeClosed(BounceproofError):
    """Who read standard output went away: as if ended by SIGPIPE, without a word."""

    exit_code = 141


class Undecided(BounceproofError):
    """A question that cannot be put, or that no solver answers."""

    exit_code = 3
