# SPDX-License-Identifier: GPL-2.0-only
"""What the forms of a boot's messages say of its kernel's version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bounceproof.logs.read.kinds import FIRST, LAST, Version
from bounceproof.logs.read.messages import Event

_MASKS_SINCE: Final = (5, 10)
_NEWEST: Final = (99, 0)


@dataclass(frozen=True, slots=True)
class Span:
    """Releases from ``since`` to ``until``, both included, vendor trees apart."""

    since: Version = FIRST
    until: Version = LAST

    @property
    def open(self) -> bool:
        """Whether nothing is excluded."""
        return self.since == FIRST and self.until == LAST

    @property
    def before_masks(self) -> bool:
        """Whether min_align_mask came later than all of them."""
        return self.until < _MASKS_SINCE

    @property
    def text(self) -> str:
        """``v5.2 to v5.5``, ``v5.2 or later``, ``v4.20 or earlier``."""
        first, last = (f"v{major}.{minor}" for major, minor in (self.since, self.until))
        if self.since == FIRST:
            return f"{last} or earlier"
        if self.until >= _NEWEST:
            return f"{first} or later"
        return first if first == last else f"{first} to {last}"


def span_of(events: list[Event]) -> Span:
    """The releases that print every form in ``events``, all of them where no release
    does: a vendor's tree, or two kernels in one log."""
    every = [event.message for event in events]
    every += [other.message for event in events for other in event.companions]
    since = max((message.since for message in every), default=FIRST)
    until = min((message.until for message in every), default=LAST)
    return Span(since, until) if since <= until else Span()
