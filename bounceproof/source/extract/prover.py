# SPDX-License-Identifier: GPL-2.0-only
"""What a proof about code asks of a solver; the solver's room fills it in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bounceproof.models.words.word import CType, Truth, Word


@dataclass(frozen=True, slots=True)
class Obligation:
    """Nothing that is possible may break it: ``broken`` says where it would be."""

    name: str
    broken: Truth


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no proof: ``reason``, and a ``case`` that breaks it where known.

    ``case`` gives values by the names of the fields that were asked about.
    """

    reason: str
    case: dict[str, int] | None = None


class Array(Protocol):
    """An array of which nothing is known but that like places hold alike."""

    def at(self, index: Word) -> Word: ...

    def consistent(self) -> Truth: ...


class Prover(Protocol):
    """Proves that something is impossible, for all values of its variables."""

    def fresh(self, name: str, ctype: CType) -> Word:
        """A variable that can have any value of ``ctype``."""
        ...

    def array(self, name: str, ctype: CType, bits: int) -> Array:
        """An array with elements of ``ctype``, all below 2^``bits``."""
        ...

    def impossible(
        self, due: list[Obligation], known: Truth, fields: dict[str, Word]
    ) -> Refusal | None:
        """None where no obligation can be broken under ``known``, else why not."""
        ...
