# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's release, from a banner, an Oops, uname or a package: never from the
compiler's version beside it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_NUMBERS = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?(-rc\d+)?")
_BUILD = re.compile(r"(?:^|\s)#\d+\S*\s")
_UPSTREAM = (
    re.compile(r"\bDebian (\d+\.\d+(?:\.\d+)?)"),
    re.compile(r"\(Ubuntu \S+ (\d+\.\d+\.\d+)\)"),
)
_PACKAGED = re.compile(r"^\s+(?:\d+:)?(\d+\.\d+\.\d+)[-~+.]")
_FIRST = re.compile(r"\s*\(([^()]*)\)")
_ABI = re.compile(r"^\d+\.\d+\.0-\d")
_SUFFIX = re.compile(r"[-+.](64|16|4)k(?:\b|[-_])", re.IGNORECASE)
_ARCHES: Final = (
    (re.compile(r"x86_64|amd64|\bi[3-6]86\b"), "x86"),
    (re.compile(r"aarch64|arm64|-v8\b"), "arm64"),
    (re.compile(r"armv\d|armhf|armmp|-v7l?\b"), "arm"),
    (re.compile(r"riscv"), "riscv"),
    (re.compile(r"s390x"), "s390"),
    (re.compile(r"ppc64|powerpc"), "powerpc"),
)
_DISTRIBUTIONS: Final = (
    (re.compile(r"\.el\d|Red Hat|redhat"), "Red Hat"),
    (re.compile(r"\.fc\d"), "Fedora"),
    (re.compile(r"uek"), "Oracle"),
    (re.compile(r"amzn|Amazon"), "Amazon"),
    (re.compile(r"\.oe\d|openEuler"), "openEuler"),
    (re.compile(r"-pve\b"), "Proxmox"),
    (re.compile(r"microsoft-standard|-azure\b|Microsoft"), "Microsoft"),
    (re.compile(r"-default\b|SUSE"), "SUSE"),
    (
        re.compile(r"Ubuntu|ubuntu|-generic\b|-lowlatency\b|-nvidia|-aws\b|-gcp\b"),
        "Ubuntu",
    ),
    (re.compile(r"Debian \d|debian\.org|-amd64\b|-arm64\b"), "Debian"),
    (re.compile(r"-v[78]l?\b"), "Raspberry Pi"),
    (re.compile(r"qubes"), "Qubes"),
    (re.compile(r"-android\d"), "Android"),
    (re.compile(r"-arch\d"), "Arch"),
)


@dataclass(frozen=True, slots=True)
class Release:
    """A kernel's name and what it tells.

    ``version``: upstream, as far as known; ``hidden_patch``: the name does not say
    which stable release it is (6.1.0-9-amd64 may be 6.1.27).
    """

    release: str
    version: str
    distribution: str | None
    arch: str | None
    page_size: int | None
    hidden_patch: bool


def _named(table: tuple[tuple[re.Pattern[str], str], ...], text: str) -> str | None:
    return next((name for pattern, name in table if pattern.search(text)), None)


def _builder(after: str) -> str:
    """Who built it: what is in the first parentheses after the release."""
    found = _FIRST.match(after)
    return found[1] if found else ""


def _upstream(after: str, packaged: bool) -> str | None:
    """The upstream version that what follows the release tells, past the compiler."""
    build = _BUILD.search(after)
    tail = after[build.start() :] if build else ""
    for pattern in _UPSTREAM:
        found = pattern.search(tail)
        if found:
            return found[1]
    found = _PACKAGED.match(after) if packaged else None
    return found[1] if found else None


def release_of(release: str, after: str = "", packaged: bool = False) -> Release | None:
    """What a release's name and the rest of its line tell; None where it is none.

    ``packaged``: it is a package's name, the package's version after it.
    """
    release = release.strip("().,;:'\"")
    numbers = _NUMBERS.match(release)
    if numbers is None or len(numbers[0]) > 24:
        return None
    upstream = _upstream(after, packaged)
    build = _BUILD.search(after)
    told = f"{release} {after[build.start() :] if build else after}"
    suffix = _SUFFIX.search(release)
    return Release(
        release=release[:80],
        version=upstream or numbers[0],
        distribution=_named(_DISTRIBUTIONS, told)
        or _named(_DISTRIBUTIONS, _builder(after)),
        arch=_named(_ARCHES, f"{release} {after[-80:]}"),
        page_size=int(suffix[1]) << 10 if suffix else None,
        hidden_patch=upstream is None and _ABI.match(release) is not None,
    )


_RANK: Final = {None: 0, "package": 1, "uname": 2, "oops": 2, "banner": 3}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a release is told: ``source`` is banner, oops, uname or package."""

    source: str
    anchor: bytes
    pattern: re.Pattern[str]
    spans: bool = False


def _place(source: str, anchor: bytes, pattern: str, spans: bool = False) -> Place:
    return Place(source, anchor, re.compile(pattern), spans)


_VERSION = r"(?P<release>\d+\.\d+[\w.+~-]*)"
BANNER: Final = _place("banner", b"Linux version ", rf"Linux version {_VERSION}")
PLACES: Final = (
    BANNER,
    _place(
        "oops",
        b"ainted",
        rf"(?:Not tainted|Tainted: [A-Z ]*[A-Z])\s+\(?{_VERSION}(?=\s+#\d)",
        spans=True,
    ),
    _place("oops", b"Manufacturer: Linux", rf"Manufacturer: Linux {_VERSION}"),
    _place("uname", b"Linux ", rf"\bLinux (?!version)\S+ {_VERSION}(?=\s+#\d)"),
    _place("uname", b"uname -", rf"uname -\w+[^\d]{{0,40}}?{_VERSION}", spans=True),
    _place(
        "uname",
        b"Kernel",
        rf"Kernel(?: [Vv]ersion| [Rr]elease)?:?\s+(?:\w+ )?(?:Linux )?{_VERSION}",
        spans=True,
    ),
    _place("uname", b"RELEASE", rf"RELEASE[:=]\s*{_VERSION}"),
    _place(
        "package",
        b"linux-image-",
        rf"linux-image-(?:unsigned-)?{_VERSION}",
    ),
    _place("package", b"vmlinu", rf"vmlinu[xz]-{_VERSION}"),
    _place("package", b"/lib/modules/", rf"/lib/modules/{_VERSION}"),
    _place("package", b"kernel-", rf"\bkernel-(?:\w+-)?{_VERSION}"),
)


def outranks(source: str, known: str | None) -> bool:
    """Whether a release told at ``source`` replaces the one known from ``known``."""
    return _RANK[source] > _RANK[known]
