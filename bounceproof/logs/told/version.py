# SPDX-License-Identifier: GPL-2.0-only
"""From a kernel version to the built-in state nearest to it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from bounceproof.models.catalog import STATES

Version: TypeAlias = tuple[int, int, int]
_LAST: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Nearest:
    """``state``: name of the built-in state.  ``same``: its swiotlb arithmetic is
    known to be this version's; otherwise ``note`` says what may differ.
    ``no_min_align``: this version has no min_align_mask.
    """

    state: str
    same: bool
    note: str
    no_min_align: bool = False


@dataclass(frozen=True, slots=True)
class _Range:
    first: Version
    last: Version
    nearest: Nearest


def _to(last: tuple[int, ...]) -> Version:
    return (last[0], last[1], last[2] if len(last) > 2 else _LAST)


def _range(
    first: Version, last: tuple[int, ...], state: str, note: str = "", **more: bool
) -> _Range:
    return _Range(first, _to(last), Nearest(state, not note, note, **more))


_NO_MASK = "it has no min_align_mask; that is taken into account"
_AREAS = "one area where the state has several"
_RANGES: Final = (
    _range((0, 0, 0), (5, 9), "v5.10.223", _NO_MASK, no_min_align=True),
    _range((5, 10, 0), (5, 10, 34), "v5.10.223", _NO_MASK, no_min_align=True),
    _range((5, 10, 35), (5, 10, 146), "v5.10.223", "its limit does not subtract m"),
    _range((5, 10, 147), (5, 10), "v5.10.223"),
    _range((5, 11, 0), (5, 11), "v5.16", _NO_MASK, no_min_align=True),
    _range((5, 12, 0), (5, 15, 32), "v5.16", "it does not align to the IOMMU granule"),
    _range((5, 15, 33), (5, 15, 70), "v5.16"),
    _range((5, 15, 71), (5, 15, 153), "v6.2.12", _AREAS),
    _range((5, 15, 154), (5, 15), "v6.1.192", _AREAS),
    _range((5, 16, 0), (5, 18), "v5.16"),
    _range((5, 19, 0), (5, 19), "v6.0", _AREAS),
    _range((6, 0, 0), (6, 0, 1), "v6.0"),
    _range((6, 0, 2), (6, 0), "v6.2.12"),
    _range((6, 1, 0), (6, 1, 83), "v6.2.12"),
    _range((6, 1, 84), (6, 1), "v6.1.192"),
    _range((6, 2, 0), (6, 2), "v6.2.12"),
    _range((6, 3, 0), (6, 3), "v6.3"),
    _range((6, 4, 0), (6, 5), "v6.5"),
    _range((6, 6, 0), (6, 6, 2), "v6.6"),
    _range((6, 6, 3), (6, 6, 23), "v6.6.9"),
    _range((6, 6, 24), (6, 6, 34), "v6.6.24"),
    _range((6, 6, 35), (6, 6), "v6.6.35"),
    _range((6, 7, 0), (6, 7, 11), "v6.7"),
    _range((6, 7, 12), (6, 7), "v6.6.24"),
    _range((6, 8, 0), (6, 8, 2), "v6.8.1"),
    _range((6, 8, 3), (6, 8), "v6.8.3"),
    _range((6, 9, 0), (6, 9), "v6.9"),
    _range((6, 10, 0), (6, 11), "v6.10"),
    _range((6, 12, 0), (6, 12, 106), "v6.12"),
    _range((6, 12, 107), (6, 12), "v6.12.107"),
    _range((6, 13, 0), (6, 15), "v6.12.107", "that series was not read"),
    _range((6, 16, 0), (7, 0), "v7.2.13", "it maps an empty middle of an IOVA link"),
    _range((7, 1, 0), (7, 1), "v7.2.13", "that series was not read"),
    _range((7, 2, 0), (7, 2), "v7.2.13"),
    _range((7, 3, 0), (7, 3), "v7.3.4"),
    _range((7, 4, 0), (_LAST, _LAST), "v7.3.4", "it is newer than what is built in"),
)


def parse_version(text: str) -> Version | None:
    """Three numbers of a version such as ``6.6.24``; None where it is not one."""
    found = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    if found is None:
        return None
    major, minor, patch = (min(int(part or 0), _LAST) for part in found.groups())
    return (major, minor, patch)


_LAST_MINOR: Final = {2: 6, 3: 19, 4: 20, 5: 19, 6: 19}


def exists(version: Version) -> bool:
    """Whether there is such a release, or may be one to come."""
    major, minor, _ = version
    return 2 <= major < 100 and minor <= _LAST_MINOR.get(major, 99)


def _in(version: Version) -> Nearest:
    return next(r.nearest for r in _RANGES if r.first <= version <= r.last)


_FOLLOWS_STABLE: Final = ("Debian", "Arch", "Fedora")


def nearest_state(
    text: str, distribution: str | None = None, hidden_patch: bool = False
) -> Nearest | None:
    """The nearest built-in state of a version, or None where ``text`` is no version.

    A release candidate, and a kernel of a distribution that keeps its own backports,
    are nearest only.  ``hidden_patch``: the third number is not the stable release's,
    so the last of its series is taken.
    """
    version = parse_version(text)
    if version is None:
        return None
    found = _in(version)
    note = found.note
    if hidden_patch:
        last = _in((version[0], version[1], _LAST))
        if last.state != found.state:
            note = f"its name hides which {version[0]}.{version[1]}.y it is"
        found = last
    if "-rc" in text and not note:
        note = "a release candidate may lack fixes of its release"
    if distribution and distribution not in _FOLLOWS_STABLE and not note:
        note = f"{distribution} kernels carry fixes of their own"
    return Nearest(found.state, not note, note, found.no_min_align)


def states_between(since: tuple[int, int], until: tuple[int, int]) -> list[str]:
    """The built-in states that stand for releases from ``since`` to ``until``, both
    included, oldest first."""
    near = {
        r.nearest.state for r in _RANGES if r.first[:2] <= until and r.last[:2] >= since
    }
    inside = {s for s in STATES if since <= state_version(s)[:2] <= until}
    return sorted(near | inside, key=state_version)


def state_version(name: str) -> Version:
    """The version in a built-in state's name, its fixes aside."""
    return parse_version(name.split("+")[0].lstrip("v")) or (0, 0, 0)


def later_states(name: str) -> list[str]:
    """Built-in states newer than ``name``, oldest first."""
    here = state_version(name)
    return sorted((s for s in STATES if state_version(s) > here), key=state_version)
