# SPDX-License-Identifier: GPL-2.0-only
"""Mutants of a tree as unified patches, the same ones for the same seed."""

from __future__ import annotations

import difflib
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from bounceproof.source.kernel.kernel import SourceKernel
from tools.c_mutants.functions import Body, deciding
from tools.c_mutants.operators import OPERATORS, Edit
from tools.c_mutants.triggers import trigger

TRIGGER, PAIR, DEFINED = "one value", "two at a time", "defined constant"
KINDS = (*OPERATORS, DEFINED, TRIGGER, PAIR)
_WEIGHTS = (3, 2, 3, 2, 3, 2, 2, 3, 1, 8, 2)
_DEFINES = {
    "include/linux/swiotlb.h": ("IO_TLB_SEGSIZE", "IO_TLB_SHIFT"),
    "drivers/nvme/host/pci.c": ("NVME_MAX_KB_SZ", "NVME_MAX_BYTES"),
    "drivers/nvme/host/nvme.h": ("NVME_CTRL_PAGE_SHIFT",),
}
_CONTEXT = 3
_NUMBER = re.compile(r"\b(0[xX][0-9a-fA-F]+|[1-9]\d*|0)\b")
_HUNK = re.compile(r"^@@ -(\d+)(,\d+)? \+(\d+)(,\d+)? @@$")


@dataclass(frozen=True)
class Mutant:
    """One changed file of a tree.

    ``bits``: address bits that a trigger asks for, as pairs of mask and value.
    """

    tree: str
    file: str
    function: str
    kind: str
    old: str
    edits: tuple[Edit, ...]
    bits: tuple[tuple[int, int], ...] = ()

    @cached_property
    def new(self) -> str:
        """The whole changed text of the file."""
        data = self.old.encode("utf-8", "surrogateescape")
        for edit in sorted(self.edits, key=lambda edit: -edit.start):
            data = data[: edit.start] + edit.text.encode() + data[edit.end :]
        return data.decode("utf-8", "surrogateescape")

    @cached_property
    def patch(self) -> str:
        """A unified patch that turns the tree's file into the changed one."""
        return unified(self.file, self.old, self.new)

    @property
    def added(self) -> list[str]:
        """The lines that the patch adds."""
        lines = self.patch.split("\n")[2:]
        return [line[1:] for line in lines if line.startswith("+")]

    @property
    def removed(self) -> list[str]:
        """The lines that the patch takes away."""
        lines = self.patch.split("\n")[2:]
        return [line[1:] for line in lines if line.startswith("-")]

    @property
    def hints(self) -> tuple[int, ...]:
        """The numbers in the lines that the patch touches."""
        text = " ".join([*self.added, *self.removed])
        found = {int(n, 0) for n in _NUMBER.findall(text)}
        return tuple(sorted(n for n in found if n < 1 << 40))


def unified(file: str, old: str, new: str) -> str:
    """The difference of two texts, with three lines around each hunk.

    Lines alike at both ends are set aside first: difflib is slow on whole files.
    """
    before, after = (t.removesuffix("\n").split("\n") for t in (old, new))
    first, most = 0, min(len(before), len(after))
    while first < most and before[first] == after[first]:
        first += 1
    last = 0
    while last < most - first and before[-1 - last] == after[-1 - last]:
        last += 1
    start, rest = max(0, first - _CONTEXT), max(0, last - _CONTEXT)
    one, two = before[start : len(before) - rest], after[start : len(after) - rest]
    names = (f"a/{file}", f"b/{file}")
    lines = difflib.unified_diff(one, two, *names, lineterm="")
    moved = (_HUNK.sub(lambda m: _moved(m, start), line) for line in lines)
    return "\n".join(moved) + "\n"


def _moved(head: re.Match[str], lines: int) -> str:
    """The head of a hunk in a text that is ``lines`` further down."""
    at, many, to, now = head.groups(default=",1")
    return f"@@ -{int(at) + lines}{many} +{int(to) + lines}{now} @@"


def _weight(body: Body) -> int:
    """How often a function is drawn: by its length, drivers' probing less often."""
    return min(len(body.text), 500 if "/nvme/" in body.file else 4000)


class Generator:
    """Draws mutants of one tree from ``seed``."""

    def __init__(self, kernel: SourceKernel, name: str, seed: int) -> None:
        self._kernel, self._name = kernel, name
        self._dice = random.Random(f"{name} {seed}")
        self.bodies = deciding(kernel)
        self._sites: dict[tuple[int, str], list[tuple[Edit, ...]]] = {}

    def __iter__(self) -> Iterator[Mutant]:
        """Mutants without end, no two alike."""
        seen: set[str] = set()
        while True:
            mutant = self._draw()
            if mutant is None or mutant.new == mutant.old:
                continue
            if mutant.patch not in seen:
                seen.add(mutant.patch)
                yield mutant

    def _draw(self) -> Mutant | None:
        kind = self._dice.choices(KINDS, _WEIGHTS)[0]
        if kind == DEFINED:
            return self._defined()
        weights = [_weight(body) for body in self.bodies]
        body = self._dice.choices(self.bodies, weights)[0]
        if kind == TRIGGER:
            found = trigger(body, self._dice)
            return self._mutant(body, kind, found[0], found[1].bits) if found else None
        if kind == PAIR:
            return self._pair(body)
        edits = self._classic(body, kind)
        return self._mutant(body, kind, edits) if edits else None

    def _classic(self, body: Body, kind: str) -> tuple[Edit, ...] | None:
        key = self.bodies.index(body), kind
        if key not in self._sites:
            self._sites[key] = list(OPERATORS[kind](body))
        sites = [e for e in self._sites[key] if self._compiled(body, e)]
        return self._dice.choice(sites) if sites else None

    def _compiled(self, body: Body, edits: tuple[Edit, ...]) -> bool:
        head = body.node.child_by_field_name("body")
        first = head.start_byte if head is not None else 0
        for edit in edits:
            line = body.first_line + body.text[: edit.start].count(b"\n")
            if line not in body.compiled or edit.start < first or body.idle(edit.start):
                return False
        return True

    def _pair(self, body: Body) -> Mutant | None:
        kinds = [self._dice.choice(tuple(OPERATORS)) for _ in range(2)]
        one, two = (self._classic(body, kind) for kind in kinds)
        if not one or not two:
            return None
        spans = sorted((e.start, e.end) for e in (*one, *two))
        if any(before[1] >= after[0] for before, after in pairwise(spans)):
            return None
        return self._mutant(body, PAIR, (*one, *two))

    def _mutant(
        self,
        body: Body,
        kind: str,
        edits: tuple[Edit, ...],
        bits: tuple[tuple[int, int], ...] = (),
    ) -> Mutant:
        moved = tuple(
            Edit(e.start + body.start, e.end + body.start, e.text) for e in edits
        )
        old = self._kernel.tree.read(body.file) or ""
        return Mutant(self._name, body.file, body.name, kind, old, moved, bits)

    def _defined(self) -> Mutant | None:
        file = self._dice.choice(sorted(_DEFINES))
        name = self._dice.choice(_DEFINES[file])
        old = self._kernel.tree.read(file) or ""
        found = re.search(rf"^#define\s+{name}\s+(\d+)", old, re.M)
        if found is None:
            return None
        value = int(found.group(1))
        other = self._dice.choice((value + 1, value - 1, value * 2, value // 2))
        at = [len(old[: found.start(1)].encode()), len(old[: found.end(1)].encode())]
        edit = Edit(at[0], at[1], str(other))
        return Mutant(self._name, file, name, DEFINED, old, (edit,))
