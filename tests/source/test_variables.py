# SPDX-License-Identifier: GPL-2.0-only
"""Variables of a file: what they hold at first, on every path and in every run."""

from __future__ import annotations

import pytest
import z3

from bounceproof.models.words.word import INT, Word
from bounceproof.solver.smt.terms import formula, variable
from bounceproof.source.cparse import syntax as c
from bounceproof.source.errors import NotUnderstood
from bounceproof.source.eval.interp import Interpreter
from bounceproof.source.eval.memory import State, Value
from bounceproof.source.program.program import Program
from bounceproof.source.tree.tree import Tree
from tests.source.trees import SWIOTLB, DictStore, small_program

PAIR = "struct pair { int a, b; };\n"
NESTED = PAIR + "struct nested { struct pair in; int x[3]; unsigned int low:3; };\n"


def run(program: Program, given: Word, times: int = 1) -> Value:
    """What f(given) returns, the last of so many times in one evaluation."""
    reader = Interpreter(program)
    function = program.function("f")
    assert function is not None
    for _ in range(times):
        state = State(zeroed=reader.zeroed)
        value = reader.invoke(function, [given], state, c.Empty(0))
    return value


def read(declared: str, expression: str) -> int:
    program = small_program(
        f"{declared}\nint f(int x)\n{{\n\treturn {expression};\n}}\n"
    )
    value = run(program, Word(0, INT))
    assert isinstance(value, Word)
    return int(value)


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("x", [0, 1])
def test_an_initial_value_is_that_of_every_path_and_run(x: int, times: int) -> None:
    text = f"""{PAIR}static const int most = 5;
static const struct pair two = {{ .b = 7 }};
int f(int x)
{{
	int sum;

	if (x)
		sum = most + two.b;
	else
		sum = most + two.b + 1;
	return sum + most;
}}
"""
    value = run(small_program(text), variable("x", INT), times)
    assert isinstance(value, Word)
    differs = formula(variable("x", INT).eq(x) & value.ne(17 if x else 18))
    assert z3.Solver().check(differs) == z3.unsat


@pytest.mark.parametrize(
    ("declared", "expression", "value"),
    [
        ("static const int t[3] = { 5, 6, 7 };", "t[1]", 6),
        ("static int t[3] = { 5, [2] = 7 };", "t[2]", 7),
        ("static const int t[2][2] = { { 1, 2 }, { 3, 4 } };", "t[1][0]", 3),
        ("static const int t[4] = { 0 };", "t[3]", 0),
        ("static const int t = { 5 };", "t", 5),
        (f"{PAIR}static const struct pair t = {{ .a = 5 }};", "t.b", 0),
        (f"{PAIR}static const struct pair t = {{ .a = 5, .a = 6 }};", "t.a", 6),
        (f"{PAIR}static const struct pair t[] = {{ {{ .b = 1 }} }};", "t[0].b", 1),
        (f"{NESTED}static const struct nested t = {{ .x = {{ 1, 5 }} }};", "t.x[1]", 5),
        (f"{NESTED}static const struct nested t = {{ .low = 13 }};", "t.low", 5),
    ],
)
def test_initial_values_go_where_c_puts_them(
    declared: str, expression: str, value: int
) -> None:
    assert read(declared, expression) == value


@pytest.mark.parametrize(
    ("declared", "expression"),
    [
        ("static const int t[] = { [0 ... 2] = 6 };", "t[1]"),
        ("static const int t[2][2] = { 1, 2, 3, 4 };", "t[1][1]"),
        ('static const char t[] = "abc";', "t[1]"),
        (f"{PAIR}static const struct pair t = {{ 5, 6 }};", "t.b"),
        (f"{PAIR}static const struct pair t = {{ .a = 5, 6 }};", "t.b"),
        (f"{PAIR}static const struct pair t = {{ 5, .b = 6 }};", "t.a"),
        (f"{NESTED}static const struct nested t = {{ .in.b = 5 }};", "t.in.b"),
        (f"{NESTED}static const struct nested t = {{ .x[1] = 5 }};", "t.x[1]"),
        (f"{NESTED}static const struct nested t = {{ .in = {{ 1, 5 }} }};", "t.in.b"),
        ("union u { int a, b; };\nstatic const union u t = { .a = 5 };", "t.b"),
        ("static const int t = odd(1);", "t"),
    ],
)
def test_what_is_not_placed_has_no_value(declared: str, expression: str) -> None:
    with pytest.raises(NotUnderstood, match=r"swiotlb\.c:"):
        read(declared, expression)


@pytest.mark.parametrize(
    "change",
    [
        "v = 6", "v += 1", "v <<= 1", "v %= 2", "v++", "--v", "(v) = 6", "set(&v)",
        "set(& v)", "WRITE_ONCE(v, 6)", "swap(*p, v)", "get(p, &v)", "x = (v = 6)",
    ],
)  # fmt: skip
def test_a_variable_that_code_may_assign_has_no_value(change: str) -> None:
    declared = f"static int v = 5;\nvoid set(int *p)\n{{\n\t{change};\n}}"
    with pytest.raises(NotUnderstood, match="a stated value for v"):
        read(declared, "v")


@pytest.mark.parametrize(
    ("declared", "expression"),
    [
        ("static int v = 5;\nmodule_param(v, int, 0644);", "v"),
        ("#define SET() (v = 6)\nstatic int v = 5;\nint g(void) { SET(); }", "v"),
        (f"{PAIR}static struct pair v;\nvoid g(void) {{ v.a = 6; }}", "v.b"),
        ("static int v[2];\nvoid g(void) { v[1] = 6; }", "v[0]"),
        ("static int v[2];\nvoid g(void) { set(v); }", "v[0]"),
        ("static int a;\nstatic const int *v[1] = { &a };\nvoid g(void) { v[0]++; }",
         "v[0] != 0"),
    ],
)  # fmt: skip
def test_nor_has_one_of_which_a_part_may_be_assigned(
    declared: str, expression: str
) -> None:
    with pytest.raises(NotUnderstood, match="a stated value for"):
        read(declared, expression)


@pytest.mark.parametrize(
    "use", ["v == 6", "v >= 6", "x & v", "x && v", "p->v = 6", "p.v = 6", "sizeof(v)"]
)
def test_reading_is_no_assignment(use: str) -> None:
    declared = f"static int v = 5;\nvoid get(int *p)\n{{\n\tx = {use};\n}}"
    assert read(declared, "v") == 5


def test_two_variables_of_one_name_are_not_told_apart() -> None:
    other = "drivers/iommu/dma-iommu.c"
    text = "static const int v = 5;\nint f(int x) { return v; }\n"
    files = {SWIOTLB: text, other: "static const int v = 6;\n"}
    program = Program(Tree(DictStore(files), "small"), 4096)
    with pytest.raises(NotUnderstood, match="one variable v"):
        run(program, Word(0, INT))


def test_what_is_declared_twice_is_one_variable() -> None:
    assert read("static int v;\nstatic int v = 5;", "v") == 5
