# SPDX-License-Identifier: GPL-2.0-only
"""``prove`` for who cannot wait: what is not answered in time is unknown, and says so.

Each page size is asked in a process of its own, which hands over property by property.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from time import monotonic
from typing import Any

from bounceproof.models.request import Cell, KernelModel
from bounceproof.solver.answers.check import Checked
from bounceproof.solver.answers.parallel import together
from bounceproof.solver.answers.property import unanswered
from bounceproof.solver.answers.prove import Proved, prove_kernel
from bounceproof.solver.contract.domain import Domain
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import Finding, Verdict

ORDER = (4096, 65536, 16384)
"""Page sizes, those that most machines have first."""
_ALWAYS = 2
"""How many of them are asked where there are no CPUs for more."""
_APART = 4
"""CPUs from which on the properties of a page size are asked in two processes."""
_LIVE = (Property.OWNED, Property.EXCLUSIVE, Property.INBOUNDS, Property.RETURNED)
"""Those that take as long as all others."""
Part = tuple[Finding, Finding, tuple[Finding, ...], dict[Cell, Cell]]
"""One property of a page size: base, kernel, what got worse, and cells in pairs."""


@dataclass(slots=True)
class _Asker:
    """A process that answers about one page size; ``parts`` are in as they come."""

    page_size: int
    process: Any
    answers: Connection
    parts: dict[Property, Part] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of base and kernel."""

    base: KernelModel
    kernel: KernelModel
    domain: Domain
    properties: Sequence[Property]
    seconds: float


def _answer(asked: Question, answers: Connection) -> None:
    """In a child: hand over one property after the other."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    domain = asked.domain
    for prop in asked.properties:
        found = prove_kernel(asked.base, asked.kernel, domain, [prop], asked.seconds)
        before, after = found.base.findings[0], found.kernel.findings[0]
        answers.send((prop, (before, after, found.worse, found.pairs)))
    answers.close()


def _start(asked: Question) -> _Asker:
    context = multiprocessing.get_context("fork")
    mine, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_answer, args=(asked, theirs))
    child.start()
    theirs.close()
    assert asked.domain.page_size is not None
    return _Asker(asked.domain.page_size, child, mine)


def _hear(running: list[_Asker], left: float) -> Iterator[_Asker]:
    """Take what has come in ``left`` seconds; those that are done."""
    ready = wait([asker.answers for asker in running], max(left, 0.0))
    for asker in [a for a in running if a.answers in ready]:
        try:
            prop, part = asker.answers.recv()
            asker.parts[prop] = part
        except (EOFError, OSError):
            yield asker


def _questions(asked: Question, pages: Sequence[int]) -> list[Question]:
    """One for each page size, two where there are CPUs for it."""
    rest = [prop for prop in asked.properties if prop not in _LIVE]
    live = [prop for prop in asked.properties if prop in _LIVE]
    groups = [rest, live] if (os.cpu_count() or 1) >= _APART else [[*rest, *live]]
    return [
        replace(asked, domain=replace(asked.domain, page_size=page), properties=group)
        for page in pages
        for group in groups
        if group
    ]


def _ask_each(questions: Sequence[Question], within: float) -> list[_Asker]:
    """Every question, as many at a time as there are CPUs, until time is over."""
    until = monotonic() + within
    waiting, running, every = list(questions), list[_Asker](), list[_Asker]()
    try:
        while (waiting or running) and monotonic() < until:
            while waiting and len(running) < (os.cpu_count() or 1):
                running.append(_start(waiting.pop(0)))
                every.append(running[-1])
            for done in list(_hear(running, until - monotonic())):
                running.remove(done)
    finally:
        for asker in every:
            with suppress(OSError):
                asker.process.kill()
            asker.process.join()
            asker.answers.close()
    return every


def pages_of(domain: Domain) -> tuple[int, ...]:
    """The page sizes asked: as many as there are CPUs, 4K and 64K on any machine."""
    if domain.page_size is not None:
        return (domain.page_size,)
    return ORDER[: max(_ALWAYS, os.cpu_count() or 1)]


def prove_soon(asked: Question, within: float) -> Proved:
    """What can be said of base and kernel in ``within`` seconds, of :func:`pages_of`.

    Of a page size that was not answered in time a property is unknown.
    """
    pages = pages_of(asked.domain)
    answered: dict[int, dict[Property, Part]] = {page: {} for page in pages}
    for asker in _ask_each(_questions(asked, pages), within):
        answered[asker.page_size] |= asker.parts
    base, kernel, worse = list[Finding](), list[Finding](), list[Finding]()
    pairs: dict[Cell, Cell] = {}
    for prop in asked.properties:
        parts = [_part(answered[page], prop, page, within) for page in pages]
        base.append(together([part[0] for part in parts]))
        kernel.append(together([part[1] for part in parts]))
        if kernel[-1].verdict is not Verdict.HOLDS:
            open_ = [finding for part in parts for finding in part[2]]
            worse += [together(open_)] if open_ else []
        for part in parts:
            pairs |= part[3]
    before = Checked(asked.base, asked.domain, tuple(base))
    after = Checked(asked.kernel, asked.domain, tuple(kernel))
    return Proved(before, after, tuple(worse), pairs)


def _part(
    found: dict[Property, Part], prop: Property, page_size: int, within: float
) -> Part:
    if prop in found:
        return found[prop]
    size = f"{page_size >> 10}K"
    late = unanswered(prop, f"{size} pages: not answered in {within:.0f} s")
    return late, late, (late,), {}
