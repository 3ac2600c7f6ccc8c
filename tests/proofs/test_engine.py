# SPDX-License-Identifier: GPL-2.0-only
"""Who is asked a question, and which answers are remembered."""

from __future__ import annotations

from typing import Any

import pytest
import z3

from bounceproof.models.words.word import Truth
from bounceproof.solver.smt import engine
from bounceproof.solver.smt.bitwuzla import Second, available, decide
from bounceproof.solver.smt.engine import Answer, Answered, Query, Status, ask

needs_second = pytest.mark.skipif(not available(), reason="no second solver here")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the questions that solvers were asked; nothing is remembered yet."""
    names: list[str] = []
    really = engine._asked

    def noted(name: str, question: Any, seconds: float) -> Answer:
        names.append(name)
        return really(name, question, seconds)

    monkeypatch.setattr(engine, "_asked", noted)
    monkeypatch.setattr(engine, "ANSWERED", Answered(most=2))
    return names


def below(number: int) -> Truth:
    return Truth(z3.ULT(z3.BitVec("x", 8), number))


def large(number: int) -> Truth:
    """A question of many terms, possible where ``number`` is."""
    words = [z3.BitVec(f"x{at}", 8) for at in range(engine.SMALL)]
    return Truth(z3.And([word == number for word in words] + [words[0] > 3]))


def test_the_same_question_is_asked_once(asked: list[str]) -> None:
    first, again = ask(Query("one", below(3))), ask(Query("two", below(3)))
    assert asked == ["one"]
    assert first.status is again.status is Status.SAT
    assert again.model is first.model


def test_an_impossible_question_is_asked_once(asked: list[str]) -> None:
    answers = [ask(Query("one", below(0))) for _ in range(2)]
    assert [answer.status for answer in answers] == [Status.UNSAT] * 2
    assert asked == ["one"]


def test_another_question_is_asked(asked: list[str]) -> None:
    for number in (0, 1, 2):
        ask(Query(f"below {number}", below(number)))
    assert asked == ["below 0", "below 1", "below 2"]
    wide = Truth(z3.ULT(z3.BitVec("x", 16), 1))
    ask(Query("of another width", wide))
    assert asked[-1] == "of another width"


def test_what_is_unknown_is_asked_again(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    late = Answer(Status.UNKNOWN, reason="timeout")
    answers = iter([late, Answer(Status.UNSAT)])
    monkeypatch.setattr(engine, "_asked", lambda *given: next(answers))
    assert ask(Query("one", below(0))).status is Status.UNKNOWN
    assert ask(Query("one", below(0))).status is Status.UNSAT


def test_what_z3_alone_is_asked_is_not_remembered(asked: list[str]) -> None:
    assert ask(Query("one", below(0)), as_it_is=True).status is Status.UNSAT
    assert asked == []
    ask(Query("two", below(0)))
    assert asked == ["two"]


def test_few_answers_are_remembered(asked: list[str]) -> None:
    for number in (1, 2, 1, 3, 1, 2):
        ask(Query(f"{number}", below(number)))
    assert asked == ["1", "2", "3", "2"]


@needs_second
@pytest.mark.parametrize("number", [5, 3])
def test_a_large_question_goes_to_the_second_solver(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Second] = []

    def noted(question: Any, seconds: float) -> Any:
        said, values = decide(question, seconds)
        seen.append(said)
        return said, values

    monkeypatch.setattr(engine, "decide", noted)
    monkeypatch.setattr(engine, "plain", lambda question: question)
    answer = ask(Query("large", large(number)))
    wanted = Status.SAT if number > 3 else Status.UNSAT
    assert answer.status is wanted
    assert seen == [Second(wanted.value)]


def test_z3_has_a_turn_where_the_second_solver_is_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    turns: list[float] = []

    def late(question: Any, seconds: float) -> Any:
        turns.append(seconds)
        return Second.UNKNOWN, []

    monkeypatch.setattr(engine, "decide", late)
    monkeypatch.setattr(engine, "plain", lambda question: question)
    assert ask(Query("large", large(4))).status is Status.SAT
    assert turns == [engine.EARLY]


def test_nobody_answers_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[tuple[str, float]] = []

    def late(question: Any, seconds: float) -> Any:
        turns.append(("second", seconds))
        return Second.UNKNOWN, []

    def first(name: str, question: Any, seconds: float) -> Answer:
        turns.append(("z3", seconds))
        return Answer(Status.UNKNOWN, reason="late")

    monkeypatch.setattr(engine, "decide", late)
    monkeypatch.setattr(engine, "_first", first)
    monkeypatch.setattr(engine, "plain", lambda question: question)
    answer = ask(Query("large", large(7)), 40)
    assert (answer.status, answer.reason) == (Status.UNKNOWN, "large: timeout")
    early, mine = engine.EARLY, engine.LATE
    rest = 40 - early - mine
    assert turns == [("second", early), ("z3", mine), ("second", rest)]
    turns.clear()
    assert ask(Query("large", large(7)), 10).status is Status.UNKNOWN
    assert turns == [("second", 10 - mine), ("z3", mine)]
    turns.clear()
    assert ask(Query("large", large(7)), 5).status is Status.UNKNOWN
    assert turns == [("second", 5)]


@needs_second
def test_symbols_of_one_name_and_two_widths_are_two() -> None:
    narrow, wide = z3.BitVec("x", 8), z3.BitVec("x", 16)
    said, values = decide(z3.And(narrow == 3, wide == 700), 5.0)
    assert said is Second.SAT
    assert z3.is_true(z3.simplify(z3.substitute(
        z3.And(narrow == 3, wide == 700),
        *((value.arg(0), value.arg(1)) for value in values),
    )))  # fmt: skip
    said, _ = decide(z3.And(narrow == 3, z3.ZeroExt(8, narrow) == 700), 5.0)
    assert said is Second.UNSAT
