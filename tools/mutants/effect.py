# SPDX-License-Identifier: GPL-2.0-only
"""What changing a decision point can do."""

from __future__ import annotations

from enum import StrEnum


class Effect(StrEnum):
    """What a mutant does."""

    BREAKS = "holds in the base, broken in the mutant"
    MENDS = "broken in the base, holds in the mutant"
    WORSE = "a request breaks it in the mutant alone"
    BETTER = "a request breaks it in the base alone"
    OUTCOME = "outcomes differ, no property does"
    NOTHING = "nothing differs"
    UNDECIDED = "no answer"

    @property
    def word(self) -> str:
        """What a mutant does, in a word."""
        return "fixes" if self is Effect.MENDS else self.name.lower()

    @property
    def caught(self) -> bool:
        """Whether a property kills the mutant."""
        return self not in (Effect.OUTCOME, Effect.NOTHING, Effect.UNDECIDED)
