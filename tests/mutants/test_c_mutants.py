# SPDX-License-Identifier: GPL-2.0-only
"""Mutants of C: what the driver around compiled code notices, and what is answered."""

from __future__ import annotations

import shutil
import signal
from collections import Counter
from ctypes import ArgumentError
from itertools import islice

import pytest

from bounceproof.solver.answers.check import check_kernel
from bounceproof.solver.contract.domain import Domain
from bounceproof.solver.contract.properties import Property
from bounceproof.source.errors import SourceError
from bounceproof.source.tree.patch import apply_patch, parse_patch
from tests.mutants import c_sample
from tests.mutants.c_sample import Case
from tests.source import lives
from tests.source.trees import SWIOTLB
from tools.c_mutants.ask import Answer
from tools.c_mutants.compare import Outcome, outcome
from tools.c_mutants.generate import Generator, Mutant
from tools.c_mutants.operators import Edit
from tools.c_mutants.truth import CELLS, NVME, Compiler, Judged, Shown, Truth

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc")
DIRECT = CELLS[2].label
PARTS, SECONDS = 10, 4
AGAIN = "the sample is another one: python -m tests.mutants.c_sample"


def test_a_seed_draws_the_same_mutants_again() -> None:
    one, two = (Generator(lives.kernel(), "small", 3) for _ in range(2))
    patches = [mutant.patch for mutant in islice(one, 60)]
    assert patches == [mutant.patch for mutant in islice(two, 60)]
    assert len(set(patches)) == 60


def test_a_patch_makes_the_mutant() -> None:
    texts = lives.texts()
    for mutant in c_sample.drawn():
        changes = parse_patch(mutant.patch.encode(), "mutant")
        assert apply_patch(changes, texts.get).files == {mutant.file: mutant.new}


def test_every_kind_is_drawn() -> None:
    drawn = Counter(m.kind for m in islice(Generator(lives.kernel(), "s", 1), 400))
    assert len(drawn) == 11


def changed(file: str, old: str, new: str) -> Mutant:
    """The small tree with one text for another."""
    text = lives.texts()[file]
    assert text.count(old) == 1
    at = text.index(old)
    return Mutant("small", file, "", "planted", text, (Edit(at, at + len(old), new),))


def shown(mutant: Mutant) -> set[tuple[str, str]]:
    """Properties broken surely, with their cell, that the unchanged tree keeps."""
    ground = c_sample.cases()[0].surely
    found = c_sample.truths(mutant)
    assert found is not None
    return {
        (s.prop, truth.where)
        for truth in found
        for s in truth.shown
        if s.sure and s.prop not in ground[truth.where]
    }


@needs_gcc
def test_the_unchanged_tree_is_judged_as_check_does() -> None:
    kernel = lives.kernel()
    truths = Judged(kernel, Compiler(kernel)).truths(1)
    for where, truth in zip(CELLS, truths, strict=True):
        granule = where.granule if where.path.has_granule else None
        domain = Domain(NVME, where.page_size, granule, where.path, page_zero=True)
        for finding in check_kernel(kernel, domain, list(Property), 60).findings:
            assert truth.sure(finding.prop) == (finding.verdict == "broken"), where


PLANTED = (
    (".list >= need)", ".list >= need + 8)", {"fits", "finds"}),
    ("area->used += need;", "area->used += need + 1;", {"returned"}),
    ("n = left;", "n = left - 1;", set()),
    ("orig += shift;", "orig += shift;\n\tif (n == 1536)\n\t\tn--;", {"clean"}),
    ("area->used -= count;", "for (;;)\n\t\t;", {"returned"}),
)


@needs_gcc
@pytest.mark.parametrize(("old", "new", "broken"), PLANTED)
def test_the_driver_notices(old: str, new: str, broken: set[str]) -> None:
    found = shown(changed(SWIOTLB, old, new))
    assert {prop for prop, where in found if where != DIRECT} == broken


@needs_gcc
def test_sampled_truths_come_out_again() -> None:
    for case in c_sample.cases()[1::33]:
        mutant = c_sample.drawn()[case.number]
        found = c_sample.truths(mutant)
        assert found is not None
        assert c_sample.case_of(case.number, mutant, found) == case


def _late(number: int, frame: object) -> None:
    """A TimeoutError, of which ctypes makes an ArgumentError inside a call of Z3's."""
    raise TimeoutError


def answered(case: Case, cell: int, prop: str) -> Outcome:
    """How the answer to one question stands beside the compiled code."""
    where, kernel = CELLS[cell], c_sample.kernel(c_sample.drawn()[case.number])
    granule = where.granule if where.path.has_granule else None
    domain = Domain(NVME, where.page_size, granule, where.path, page_zero=True)
    signal.signal(signal.SIGALRM, _late)
    signal.alarm(SECONDS)
    try:
        finding = check_kernel(kernel, domain, [Property(prop)], SECONDS).findings[0]
        verdict = finding.verdict.shown
    except (SourceError, TimeoutError, ArgumentError):
        verdict = "unknown"
    finally:
        signal.alarm(0)
    truth = Truth(where.label, 0, 0, 0, ())
    for names, sure in ((case.surely, True), (case.perhaps, False)):
        more = tuple(Shown(p, sure, 1, "", {}) for p in names[where.label])
        truth = Truth(where.label, 0, 0, 0, (*truth.shown, *more))
    answer = Answer(where.label, {prop: verdict}, {}, {}, 0.0)
    return outcome(prop, truth, answer, False)


@pytest.mark.xfail(reason="sampled truths of an older driver", strict=False)
@pytest.mark.parametrize("part", range(PARTS))
def test_no_answer_is_wrong(part: int) -> None:
    wrong = []
    for case in c_sample.cases()[1 + part :: PARTS]:
        mutant = c_sample.drawn()[case.number]
        assert c_sample.name_of(mutant) == case.patch, AGAIN
        for cell, prop in c_sample.asked(case):
            result = answered(case, cell, prop)
            if result in (Outcome.FALSE_HOLDS, Outcome.FALSE_BROKEN, Outcome.ERROR):
                wrong.append(f"{prop} on {CELLS[cell].label}: {result}\n{mutant.patch}")
    assert not wrong, "\n".join(wrong)
