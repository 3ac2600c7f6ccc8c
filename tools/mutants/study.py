# SPDX-License-Identifier: GPL-2.0-only
"""The whole study: every mutant of every built-in state, each answer kept at once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path as File
from typing import Any

from bounceproof.audit.cells import Identity, identity, key_of
from bounceproof.audit.codec import encode
from bounceproof.audit.store import Store
from bounceproof.models.contract import Property
from bounceproof.models.request import Cell, Path
from tools.mutants.catch import Noticed, notice
from tools.mutants.effect import Effect
from tools.mutants.reasons import Reason, reason_of
from tools.mutants.values import Mutant, mutants

_ANSWERING = ("cells.py", "draws.py", "contrast.py", "catch.py")


def _identity() -> Identity:
    """What an answer depends on beside its question: the code that gives it too."""
    here, mine = File(__file__).parent, identity()
    digest = hashlib.sha256(mine.sources.encode())
    for name in _ANSWERING:
        digest.update((here / name).read_bytes())
    return replace(mine, sources=digest.hexdigest())


def _query(mutant: Mutant) -> dict[str, Any]:
    decisions = encode(mutant.base.decisions())
    return {"mutant of": decisions, "point": mutant.point, "now": str(mutant.now)}


def _encoded(noticed: Noticed) -> dict[str, Any]:
    return {
        "mutant": noticed.mutant.label,
        "effect": noticed.effect.name,
        "property": noticed.prop,
        "device": noticed.device,
        "cell": None if noticed.cell is None else asdict(noticed.cell),
        "point": noticed.point,
        "why": list(noticed.why),
    }


def _decoded(mutant: Mutant, kept: dict[str, Any]) -> Noticed:
    cell, prop = kept["cell"], kept["property"]
    return Noticed(
        mutant,
        Effect[kept["effect"]],
        None if prop is None else Property(prop),
        kept["device"],
        None if cell is None else Cell(**{**cell, "path": Path(cell["path"])}),
        kept["point"],
        tuple(kept["why"]),
    )


@dataclass(slots=True)
class Study:
    """Answers in ``store``; None keeps none."""

    store: Store | None

    def run(
        self,
        wanted: Iterable[Mutant] | None = None,
        told: Callable[[Noticed], None] = lambda noticed: None,
    ) -> list[Noticed]:
        """The answer for each of ``wanted``, or of all mutants, in order."""
        whose, answers = _identity(), []
        rows = [] if self.store is None else self.store.rows(whose)
        known = {key: value for key, _, value in rows}
        for mutant in mutants() if wanted is None else wanted:
            query = _query(mutant)
            key = key_of(query, whose)
            if key not in known:
                noticed = notice(mutant)
                known[key] = value = _encoded(noticed)
                if self.store is not None:
                    self.store.keep(key, query, whose, noticed.effect.name, value)
                told(noticed)
            answers.append(_decoded(mutant, known[key]))
        return answers


def complaint(noticed: Noticed) -> str | None:
    """What is wrong with an answer: none, or not what the reasons say."""
    label, reason = noticed.mutant.label, reason_of(noticed.mutant)
    if noticed.effect is Effect.UNDECIDED or noticed.why:
        return f"{label}: {noticed.effect.name}: {'; '.join(noticed.why)}"
    if noticed.effect.caught:
        if reason is None:
            return None
        return f"{label}: {noticed.prop} notices it, but {reason.name} says why not"
    if reason is None:
        return f"{label}: {noticed.effect.value}, and no reason is given"
    return None if reason.effect is noticed.effect else _otherwise(label, reason)


def _otherwise(label: str, reason: Reason) -> str:
    return f"{label}: not {reason.effect.value}, as {reason.name} says"
