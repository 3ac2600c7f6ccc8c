# SPDX-License-Identifier: GPL-2.0-only
"""Every history of calls: the lemmas, planted mistakes, and the loops on real lists."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

import numpy as np
import pytest

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.catalog import STATES, device, kernel_state
from bounceproof.models.constants import IO_TLB_SEGSIZE
from bounceproof.models.formulas.freelist import FreeList, free_list
from bounceproof.models.request import Path
from bounceproof.models.words.word import (
    FALSE,
    INT,
    TRUE,
    UNSIGNED_INT,
    UNSIGNED_SHORT,
    Truth,
    Word,
)
from bounceproof.simulator import engine
from bounceproof.solver.contract.domain import Domain
from bounceproof.solver.contract.verdict import Verdict
from bounceproof.solver.histories.builtin import LEMMAS, histories, lemmas, shown
from bounceproof.solver.lemmas import placement as places
from bounceproof.solver.lemmas.lemma import Lemma, Obligation, prove
from bounceproof.solver.lemmas.slots import PoolShape

SECONDS = 120.0
CODES = list(dict.fromkeys(free_list(state) for state in STATES.values()))
NEWEST = free_list(kernel_state("latest"))


BY_NAME = {lemma.__name__: lemma for lemma in LEMMAS}


def failed(code: FreeList, name: str, shape: PoolShape = PoolShape.WHOLE) -> str | None:
    """The obligation of lemma ``name`` that is broken, or None where none is."""
    proof = prove(BY_NAME[name](code, shape), SECONDS)
    assert proof.verdict in (Verdict.HOLDS, Verdict.BROKEN), proof.reason
    return proof.failed


@pytest.mark.parametrize("code", CODES, ids=str)
def test_every_state_keeps_the_invariant(code: FreeList) -> None:
    for proof in lemmas(code, PoolShape.WHOLE, SECONDS):
        assert proof.verdict is Verdict.HOLDS, (proof.lemma.name, proof.failed)


def test_the_states_have_three_codes() -> None:
    assert {(str(code.entry), code.clamped) for code in CODES} == {
        ("u32", False),
        ("u32", True),
        ("u16", True),
    }


@pytest.mark.parametrize("kernel", ["v5.10.223", "v6.1.192", "v6.6.9", "v7.3.4"])
def test_a_pool_that_ends_inside_a_slot_set(kernel: str) -> None:
    state, partial = kernel_state(kernel), PoolShape.PARTIAL
    code = free_list(state)
    assert (failed(code, "established", partial) is None) is code.clamped
    assert failed(code, "freeing", partial) == "reads"
    assert shown(state, {"nslabs": 1, "first": 0, "nslots": 1})
    assert not shown(state, {"nslabs": 128, "first": 127, "nslots": 1})


@dataclass(frozen=True, slots=True)
class JoinsAcrossSets(FreeList):
    def joining(self, i: Word, entry: Word) -> Truth:
        return entry.ne(0)


@dataclass(frozen=True, slots=True)
class MergesAcrossSets(FreeList):
    def following(self, first: Word, nslots: Word) -> Truth:
        return TRUE


@dataclass(frozen=True, slots=True)
class NeverMerges(FreeList):
    def following(self, first: Word, nslots: Word) -> Truth:
        return FALSE


@dataclass(frozen=True, slots=True)
class CountNotReset(FreeList):
    def before_taken(self) -> Word:
        return Word(1, UNSIGNED_INT)


@dataclass(frozen=True, slots=True)
class MarksOneMore(FreeList):
    def marking(self, i: Word, first: Word, nslots: Word) -> Truth:
        return i <= first + nslots


@dataclass(frozen=True, slots=True)
class FreesOneLess(FreeList):
    def freeing(self, i: Word, first: Word) -> Truth:
        return i > first


@dataclass(frozen=True, slots=True)
class FreesUnsigned(FreeList):
    def freeing(self, i: Word, first: Word) -> Truth:
        return i.cast(UNSIGNED_INT) >= first.cast(UNSIGNED_INT)


@dataclass(frozen=True, slots=True)
class CountsByTwo(FreeList):
    def counted(self, count: Word) -> Word:
        return count + 2


@dataclass(frozen=True, slots=True)
class TakesTooShortRuns(FreeList):
    def enough(self, entry: Word, nslots: Word) -> Truth:
        return entry + 1 >= nslots


@dataclass(frozen=True, slots=True)
class RefusesTheLastSlot(FreeList):
    def refuses(self, nslots: Word, area_nslabs: Word, used: Word) -> Truth:
        return nslots >= area_nslabs - used


@dataclass(frozen=True, slots=True)
class UsedStaysUp(FreeList):
    def used_after_release(self, used: Word, nslots: Word) -> Word:
        return used - (nslots - 1)


@dataclass(frozen=True, slots=True)
class IndexRunsOff(FreeList):
    def index_after_take(self, index: Word, nslots: Word, area_nslabs: Word) -> Word:
        return index + nslots


@dataclass(frozen=True, slots=True)
class CountsDownTheFirstArea(FreeList):
    def area_of(self, first: Word, area_nslabs: Word) -> Word:
        return first - first


@dataclass(frozen=True, slots=True)
class WholeSetsEverywhere(FreeList):
    def initial(self, slot: Word, nslabs: Word) -> Word:
        return Word(IO_TLB_SEGSIZE, self.entry)


PLANTED = [
    (JoinsAcrossSets, "taken", "turn"),
    (JoinsAcrossSets, "released", "turn"),
    (MergesAcrossSets, "freeing", "reads"),
    (NeverMerges, "freeing", "follows"),
    (CountNotReset, "taken", "first count"),
    (MarksOneMore, "marking", "turn"),
    (FreesOneLess, "freeing", "end"),
    (FreesUnsigned, "freeing", "writes"),
    (CountsByTwo, "taken", "turn"),
    (CountsByTwo, "freeing", "turn"),
    (TakesTooShortRuns, "run", "all"),
    (RefusesTheLastSlot, "early", "free run"),
    (UsedStaysUp, "counted", "used"),
    (IndexRunsOff, "counted", "index"),
    (CountsDownTheFirstArea, "counted", "area of 128"),
    (WholeSetsEverywhere, "established", "any slot"),
]


@pytest.mark.parametrize(("planted", "lemma", "obligation"), PLANTED)
def test_planted_mistakes_break_a_lemma(
    planted: type[FreeList], lemma: str, obligation: str
) -> None:
    assert failed(planted(UNSIGNED_SHORT, True), lemma) == obligation
    assert failed(NEWEST, lemma) is None


def test_nothing_is_proved_of_an_empty_domain() -> None:
    due = Obligation("impossible", FALSE, FALSE, {})
    proof = prove(Lemma("empty", "", (due,)), SECONDS)
    assert proof.verdict is Verdict.UNKNOWN
    assert proof.reason is not None
    assert "impossible" in proof.reason


@pytest.mark.parametrize("kernel", ["v5.10.223", "v6.1.192", "v6.6", "v6.10", "v7.3.4"])
def test_places_of_any_pool_are_places_of_an_empty_one(kernel: str) -> None:
    model = BuiltinKernel(kernel_state(kernel))
    lemma = places.places(model, Domain(device("nvme")))
    assert lemma.missing is None
    assert lemma.obligations
    proof = prove(lemma, SECONDS)
    assert proof.verdict is Verdict.HOLDS, (proof.failed, proof.reason)


def test_a_search_that_starts_anywhere_does_not_keep_to_its_stride() -> None:
    model = BuiltinKernel(kernel_state("v6.1.192"))
    domain = Domain(device("nvme"), page_size=65536, granule=65536, path=Path.IOMMU)
    rule = next(iter(places._rules(model, list(domain.cells(model)))))
    assert rule.aligned_start
    raw = replace(rule, aligned_start=False)
    proof = prove(Lemma("raw", "", tuple(places._aligned(raw, True, "raw"))), SECONDS)
    assert proof.failed == "raw: start"


@pytest.mark.parametrize(
    ("kernel", "verdict"), [("v6.6", Verdict.BROKEN), ("v6.9", Verdict.HOLDS)]
)
def test_where_releases_go_wrong_nothing_is_proved(
    kernel: str, verdict: Verdict
) -> None:
    domain = Domain(
        device("generic"),
        page_size=4096,
        path=Path.ALLOC,
        min_align_mask=0,
        seg_boundary_mask=0xFFFFFFFF,
    )
    found = histories(kernel_state(kernel), PoolShape.WHOLE, domain, SECONDS)
    assert found.returned is not None
    assert found.verdict is found.returned.verdict is verdict
    assert all(proof.verdict is Verdict.HOLDS for proof in found.proofs)


def u32(value: int) -> Word:
    return Word(value, UNSIGNED_INT)


def take(code: FreeList, entries: list[int], first: int, nslots: int) -> None:
    """The loops of the search, as the pieces of ``code`` put them together."""
    i, count = u32(first), code.before_taken()
    while code.marking(i, u32(first), u32(nslots)):
        entries[int(i)] = int(code.marked())
        i = i + 1
    join(code, entries, u32(first) - 1, count)


def join(code: FreeList, entries: list[int], i: Word, count: Word) -> None:
    def entry() -> Word:
        at = int(i)
        return Word(entries[at] if 0 <= at < len(entries) else 0, code.entry)

    while code.joining(i, entry()):
        count = code.counted(count)
        entries[int(i)] = int(count.cast(code.entry))
        i = i - 1


def release(code: FreeList, entries: list[int], first: int, nslots: int) -> None:
    """The loops of a release."""
    start, count = Word(first, INT), Word(0, INT)
    if code.following(start, Word(nslots, INT)):
        count = Word(entries[first + nslots], INT)
    i = start + nslots - 1
    while code.freeing(i, start):
        count = code.counted(count)
        entries[int(i)] = int(count.cast(code.entry))
        i = i - 1
    join(code, entries, start - 1, count)


@pytest.mark.parametrize("code", CODES, ids=str)
def test_the_loops_are_those_of_the_simulator(code: FreeList) -> None:
    rng, nslabs = Random(7), 3 * IO_TLB_SEGSIZE
    initial = [
        int(code.initial(Word(i, UNSIGNED_INT), Word(nslabs, UNSIGNED_INT)))
        for i in range(nslabs)
    ]
    for _ in range(40):
        ours, live = list(initial), list[tuple[int, int]]()
        theirs = np.array(ours, dtype=np.int32)
        others = [np.zeros(nslabs, dtype=np.int64) for _ in range(3)]
        for _ in range(60):
            first, n = rng.randrange(nslabs), rng.randrange(1, 40)
            if ours[first] >= n:
                take(code, ours, first, n)
                engine.take(theirs, others[0], first, n << 11, 0)
                live.append((first, n))
            elif live:
                first, n = live.pop(rng.randrange(len(live)))
                release(code, ours, first, n)
                engine.give_back(theirs, *others, first, n)
            assert ours == list(theirs)
