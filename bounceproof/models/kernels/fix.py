# SPDX-License-Identifier: GPL-2.0-only
"""A fix: a named change to some decision points of a kernel state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bounceproof.errors import InputError
from bounceproof.models.kernels.state import KernelState, Origin


class FixDoesNotApply(InputError):
    """A fix meets a base whose code it was not written for.  Choose another base."""


@dataclass(frozen=True, slots=True)
class Fix:
    """``changes`` maps a decision point to its new value; ``expects`` to the values
    that the base may have there, as a patch expects its context.  A decision point
    in ``changes`` alone may have any value other than the new one.
    """

    name: str
    origin: Origin
    changes: Mapping[str, object]
    expects: Mapping[str, tuple[object, ...]] = field(default_factory=dict)

    def apply(self, base: KernelState) -> KernelState:
        """``base`` with this fix; raises FixDoesNotApply."""
        for point, allowed in self.expects.items():
            value = getattr(base, point)
            if value not in allowed:
                raise FixDoesNotApply(
                    f"{self.name} does not apply to {base.name}: "
                    f"{point} is {_shown(value)}, not {_either(allowed)}"
                )
        if all(getattr(base, p) == value for p, value in self.changes.items()):
            raise FixDoesNotApply(f"{self.name} changes nothing in {base.name}")
        return base.with_(f"{base.name}+{self.name}", **self.changes)


def _shown(value: object) -> str:
    return getattr(value, "name", str(value)).lower()


def _either(values: tuple[object, ...]) -> str:
    return " or ".join(_shown(value) for value in values)
