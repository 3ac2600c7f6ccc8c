# SPDX-License-Identifier: GPL-2.0-only
"""The whole study: every mutant of every built-in state, each answer kept at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path as File
from typing import Any

from bounceproof.audit.cells import identity
from bounceproof.models.contract import Property
from bounceproof.models.request import Cell, Path
from tools.mutants.catch import Noticed, notice
from tools.mutants.effect import Effect
from tools.mutants.reasons import Reason, reason_of
from tools.mutants.values import Mutant, mutants

_ANSWERING = ("cells.py", "draws.py", "contrast.py", "catch.py")


def _sources() -> str:
    """What an answer depends on beside its question: the code that gives it."""
    here = File(__file__).parent
    digest = hashlib.sha256(str(identity()).encode())
    for name in _ANSWERING:
        digest.update((here / name).read_bytes())
    return digest.hexdigest()


def _key(mutant: Mutant, sources: str) -> str:
    decisions = json.dumps(mutant.base.decisions(), default=str)
    text = f"{decisions} {mutant.point} {mutant.now} {sources}"
    return hashlib.sha256(text.encode()).hexdigest()


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
    """Answers in ``file``, one JSON object a line; None keeps none."""

    file: File | None
    known: dict[str, dict[str, Any]] = field(default_factory=dict)

    def load(self) -> None:
        """Take over what an earlier run answered; a line cut short is left out."""
        if self.file is None or not self.file.exists():
            return
        for line in self.file.read_text().splitlines():
            try:
                kept = json.loads(line)
            except json.JSONDecodeError:
                continue
            self.known[kept["key"]] = kept

    def run(
        self,
        wanted: Iterable[Mutant] | None = None,
        told: Callable[[Noticed], None] = lambda noticed: None,
    ) -> list[Noticed]:
        """The answer for each of ``wanted``, or of all mutants, in order."""
        sources, answers = _sources(), []
        for mutant in mutants() if wanted is None else wanted:
            key = _key(mutant, sources)
            if key not in self.known:
                noticed = notice(mutant)
                self._keep({"key": key, **_encoded(noticed)})
                told(noticed)
            answers.append(_decoded(mutant, self.known[key]))
        return answers

    def _keep(self, kept: dict[str, Any]) -> None:
        self.known[kept["key"]] = kept
        if self.file is not None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with self.file.open("a") as lines:
                lines.write(json.dumps(kept) + "\n")


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
