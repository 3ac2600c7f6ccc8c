# SPDX-License-Identifier: GPL-2.0-only
"""Questions in plainer words: the same truth, and the second solver's answers."""

from __future__ import annotations

import random
from typing import Any

import pytest
import z3

from bounceproof.models.words.word import Truth
from bounceproof.solver.smt import engine
from bounceproof.solver.smt.bitwuzla import Second, available, decide
from bounceproof.solver.smt.bounds import low_zeros, upper_bound
from bounceproof.solver.smt.engine import Query, Status, ask
from bounceproof.solver.smt.rewrite import plain

WIDTHS = (4, 6, 8)
SYMBOLS = [z3.BitVec(f"v{bits}", bits) for bits in (1, 2, 3, 4, 6, 8)]
COMPARE = (z3.ULT, z3.UGT, z3.ULE, z3.UGE, *(
    lambda a, b, sign=sign: {"<": a < b, ">": a > b, "<=": a <= b, ">=": a >= b}[sign]
    for sign in ("<", ">", "<=", ">=")
))  # fmt: skip


class Terms:
    """Random terms that are built of each other, as a program's are."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.made: dict[int, list[Any]] = {bits: [] for bits in WIDTHS}
        self.truths: list[Any] = []

    def word(self, bits: int, depth: int) -> Any:
        if self.made[bits] and self.rng.random() < 0.3:
            return self.rng.choice(self.made[bits])
        term = self.leaf(bits) if depth == 0 else self.node(bits, depth - 1)
        self.made[bits].append(term)
        return term

    def number(self, bits: int) -> Any:
        rng, power = self.rng, 1 << self.rng.randrange(bits)
        return z3.BitVecVal(
            rng.choice([0, 1, power, power - 1, -power, rng.randrange(1 << bits)]), bits
        )

    def leaf(self, bits: int) -> Any:
        if self.rng.random() < 0.3:
            return self.number(bits)
        symbol = self.rng.choice([x for x in SYMBOLS if x.size() <= bits])
        return z3.ZeroExt(bits - symbol.size(), symbol)

    def node(self, bits: int, depth: int) -> Any:
        a, b = self.word(bits, depth), self.word(bits, depth)
        known = self.number(bits)
        other = self.rng.choice(WIDTHS)
        c = self.word(other, depth)
        extend = self.rng.choice([z3.ZeroExt, z3.SignExt])
        few = self.rng.randrange(bits)
        part = z3.Extract(bits - few - 1, 0, a)
        low = self.rng.randrange(max(1, other - bits + 1)) if other >= bits else 0
        choices = [
            a + b, a - b, a + b, a - b, -a, ~a, a | b, a ^ b, a & b, a * b,
            a * known, known * a, a & known, known & a, a << known, a << b,
            z3.LShR(a, known), z3.LShR(a, b), a >> known, z3.UDiv(a, known),
            z3.URem(a, known), z3.If(self.truth(depth), a, b),
            extend(bits - other, c) if other < bits else a,
            z3.Extract(low + bits - 1, low, c) if other > bits else b,
            z3.Extract(bits - 1, 0, c) if other > bits else a,
            z3.Concat(z3.Extract(bits - 2, 0, a), z3.Extract(0, 0, b)),
            a << few, z3.LShR(a, few), z3.LShR(a + b, few), (a << few) + b,
            extend(few, part),
            (a & known) & self.number(bits), a & ((1 << few) - 1),
            z3.Extract(bits - 1, 0, extend(few + 2, part)),
        ]  # fmt: skip
        return self.rng.choice(choices)

    def truth(self, depth: int) -> Any:
        if self.truths and self.rng.random() < 0.4:
            return self.rng.choice(self.truths)
        bits = self.rng.choice(WIDTHS)
        a, b = self.word(bits, depth), self.word(bits, depth)
        made = self.rng.choice([*COMPARE, *COMPARE, lambda a, b: a == b])(a, b)
        if depth and self.rng.random() < 0.4:
            join = self.rng.choice([z3.And, z3.Or, z3.Xor, lambda a, b: z3.Not(a)])
            made = join(made, self.truth(depth - 1))
        self.truths.append(made)
        return made

    def question(self) -> Any:
        facts = [self.truth(self.rng.randrange(4)) for _ in range(3)]
        return z3.And([z3.Not(x) if self.rng.random() < 0.3 else x for x in facts])


def same_truth(question: Any) -> bool:
    solver = z3.SolverFor("QF_BV")
    solver.add(question != plain(question))
    return bool(solver.check() == z3.unsat)


def unlike(seeds: range) -> list[int]:
    return [seed for seed in seeds if not same_truth(Terms(seed).question())]


@pytest.mark.parametrize("part", range(8))
def test_plainer_words_have_the_same_truth(part: int) -> None:
    assert unlike(range(part * 100, part * 100 + 100)) == []


@pytest.mark.slow
@pytest.mark.parametrize("part", range(100))
def test_plainer_words_have_the_same_truth_at_length(part: int) -> None:
    assert unlike(range(10_000 + part * 500, 10_500 + part * 500)) == []


def test_a_conjunction_has_the_zeros_of_each_side() -> None:
    a, b = z3.BitVecs("a b", 8)
    assert low_zeros((a << 1) & (b << 3)) == 3


def address_and_slot() -> tuple[Any, Any]:
    """The way to a slot from an address, and back from it."""
    start = z3.ZeroExt(32, z3.BitVec("start", 32)) << 12
    slot = z3.ZeroExt(44, z3.BitVec("slot", 20))
    offset = z3.ZeroExt(46, z3.BitVec("offset", 18))
    address = start + (slot << 11) + offset
    index = z3.SignExt(32, z3.Extract(31, 0, z3.LShR(address - start, 11)))
    return index - slot, z3.LShR(offset, 11)


def test_from_an_address_to_its_slot_is_plain() -> None:
    there, back = address_and_slot()
    assert z3.is_false(plain(z3.Not(there == back)))


def test_a_fact_is_known_inside_other_facts() -> None:
    a, b = z3.BitVecs("a b", 8)
    fact = z3.ULT(a, 4)
    question = z3.And(fact, z3.If(fact, b, a) == b + 1)
    assert z3.is_false(plain(question))


def test_a_deep_term_is_made_plain() -> None:
    """Deep beyond Python's recursion; the same truth for every value there is."""
    start = z3.BitVec("a", 8)
    term, values = start, list(range(256))
    for number in range(5000):
        term = (term ^ number) + 1
        values = [((value ^ number) + 1) & 0xFF for value in values]
    question = plain(term == 3)
    truths = (z3.simplify(z3.substitute(question, (start, z3.BitVecVal(v, 8))))
              for v in range(256))  # fmt: skip
    assert [z3.is_true(truth) for truth in truths] == [v == 3 for v in values]


def deep_choice() -> Any:
    """A choice by a choice by a choice, deeper than Python's recursion."""
    condition, one = z3.Bool("c"), z3.BitVec("a", 8)
    for number in range(5000):
        condition = z3.Xor(condition, one + 0 == number % 256)
    chosen = z3.If(condition, one, one + (one ^ 1))
    return z3.Extract(7, 0, z3.ZeroExt(8, chosen) + 0) + (one & 0)


def test_a_deep_condition_is_made_plain() -> None:
    question = deep_choice() == 3
    solver = z3.Solver()
    solver.add(plain(question) != question)
    assert solver.check() == z3.unsat


def test_a_deep_sum_has_a_bound() -> None:
    term = z3.ZeroExt(24, z3.BitVec("a", 8))
    for number in range(5000):
        term = z3.If(z3.Bool(f"c{number}"), term, z3.BitVecVal(number, 32))
    assert upper_bound(term) == 4999


def test_what_is_too_deep_to_rewrite_is_asked_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def deep(question: Any) -> Any:
        raise RecursionError

    monkeypatch.setattr(engine, "plain", deep)
    monkeypatch.setattr(engine, "SMALL", 0)
    one = z3.BitVec("a", 8)
    assert ask(Query("deep", Truth(one * one == 3))).status is Status.UNSAT


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every question goes to the second solver."""
    if not available():
        pytest.skip("no wheel of the second solver here")
    monkeypatch.setattr(engine, "ANSWERED", engine.Answered())
    first, called = engine._first, []

    def never_soon(name: str, question: Any, seconds: float, *given: Any) -> Any:
        called.append(seconds)
        if len(called) == 1:
            return engine.Answer(Status.UNKNOWN, reason=f"{name}: timeout")
        return first(name, question, seconds, *given)

    monkeypatch.setattr(engine, "_first", never_soon)


def squares(product: int) -> Truth:
    a, b = z3.BitVecs("a b", 32)
    small = z3.And(z3.ULT(1, a), z3.ULE(a, b), z3.ULT(b, 1 << 16))
    return Truth(z3.And(small, a * b == product))


@pytest.mark.usefixtures("late")
def test_the_second_solver_finds_values_that_z3_confirms() -> None:
    answer = ask(Query("factors", squares(641 * 643)))
    assert answer.status is Status.SAT
    assert answer.model is not None
    values = sorted(answer.model[d].as_long() for d in answer.model.decls())
    assert values == [641, 643]


@pytest.mark.usefixtures("late")
def test_the_second_solver_says_that_there_is_none() -> None:
    assert ask(Query("factors", squares(65537))).status is Status.UNSAT


@pytest.mark.usefixtures("late")
def test_values_that_z3_refuses_are_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = [z3.BitVec("a", 32) == 0]
    monkeypatch.setattr(engine, "decide", lambda question, s: (Second.SAT, wrong))
    answer = ask(Query("factors", squares(641 * 643)))
    assert answer.status is Status.UNKNOWN
    assert answer.reason == "factors: the solvers disagree"


def test_a_second_solver_that_gives_up_is_unknown() -> None:
    if not available():
        pytest.skip("no wheel of the second solver here")
    hard = squares(2147483647).raw
    wide = z3.And(
        hard,
        z3.BitVec("c", 64) * z3.BitVec("d", 64) == (1 << 61) - 1,
        z3.UGT(z3.BitVec("c", 64), 1),
        z3.UGT(z3.BitVec("d", 64), 1),
    )
    assert decide(wide, 0.001)[0] is Second.UNKNOWN


def test_without_a_second_solver_z3_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "decide", lambda question, s: (Second.UNABLE, []))
    monkeypatch.setattr(engine, "SOON", 0.001)
    assert ask(Query("factors", squares(641 * 643))).status is Status.SAT


def test_what_the_second_solver_cannot_read_it_says() -> None:
    bag = z3.Const("bag", z3.SetSort(z3.IntSort()))
    assert decide(z3.IsMember(z3.Int("i"), bag), 1.0)[0] is Second.UNABLE
