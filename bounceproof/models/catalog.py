# SPDX-License-Identifier: GPL-2.0-only
"""Kernel names: a built-in state, and fixes applied to it from left to right."""

from __future__ import annotations

import re
from difflib import get_close_matches

from bounceproof.errors import InputError
from bounceproof.models.kernels.fix import Fix, FixDoesNotApply
from bounceproof.models.kernels.fixes_2024 import FIXES_2024
from bounceproof.models.kernels.fixes_other import FIXES_OTHER
from bounceproof.models.kernels.fixes_series import FIXES_SERIES
from bounceproof.models.kernels.releases import LATEST, RELEASES
from bounceproof.models.kernels.state import KernelState
from bounceproof.models.requests.devices import DEVICES, Device

STATES: dict[str, KernelState] = {state.name: state for state in RELEASES}
FIXES: dict[str, Fix] = {
    fix.name: fix for fix in (*FIXES_SERIES, *FIXES_2024, *FIXES_OTHER)
}
_DEVICES: dict[str, Device] = {device.name: device for device in DEVICES}


_VERSION = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?")


def _version(name: str) -> tuple[int, ...] | None:
    found = _VERSION.fullmatch(name)
    return tuple(int(part or 0) for part in found.groups()) if found else None


def _of_series(name: str, known: list[str]) -> list[str]:
    """The state that stands for a stable release: the newest of its series before it,
    or the first after it."""
    wanted = _version(name)
    if wanted is None:
        return []
    of = {at: state for state in known if (at := _version(state)) is not None}
    series = sorted(at for at in of if at[:2] == wanted[:2])
    before = [at for at in series if at <= wanted]
    return [of[at] for at in (before[-1:] or series[:1])]


class UnknownName(InputError):
    """No such state, fix or device; the message names the nearest ones."""


def _unknown(kind: str, name: str, known: list[str]) -> UnknownName:
    near = _of_series(name, known)
    near = near or get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return UnknownName(f"unknown {kind} '{name}'{hint}")


def split_name(name: str) -> tuple[KernelState, list[Fix]]:
    """Base state and fixes of a kernel name such as ``v6.6+will-v3``.

    Raises UnknownName.
    """
    base, *fixes = name.split("+")
    if base == "latest":
        base = LATEST.name
    if base not in STATES:
        raise _unknown("kernel", base, ["latest", *STATES])
    for fix in fixes:
        if fix not in FIXES:
            raise _unknown("fix", fix, list(FIXES))
    return STATES[base], [FIXES[fix] for fix in fixes]


def base_state(name: str) -> KernelState:
    """The base of a kernel name, without its fixes.  Raises UnknownName."""
    return split_name(name)[0]


def kernel_state(name: str) -> KernelState:
    """The state that a kernel name stands for.

    Raises UnknownName, or FixDoesNotApply where a fix meets code it was not written
    for.
    """
    state, fixes = split_name(name)
    for fix in fixes:
        state = fix.apply(state)
    return state


def device(name: str) -> Device:
    """The device of this name.  Raises UnknownName."""
    if name not in _DEVICES:
        raise _unknown("device", name, list(_DEVICES))
    return _DEVICES[name]


__all__ = ["FIXES", "STATES", "FixDoesNotApply", "UnknownName"]
