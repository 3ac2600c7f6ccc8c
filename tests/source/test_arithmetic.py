# SPDX-License-Identifier: GPL-2.0-only
"""The reader's arithmetic against gcc, on random functions."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from bounceproof.models.words.word import U64, Word
from bounceproof.source.eval.interp import Interpreter
from bounceproof.source.eval.memory import State
from tests.source.trees import small_program

TYPES = {
    "signed char": (8, True),
    "unsigned char": (8, False),
    "short": (16, True),
    "unsigned short": (16, False),
    "int": (32, True),
    "unsigned int": (32, False),
    "long": (64, True),
    "unsigned long": (64, False),
    "long long": (64, True),
    "size_t": (64, False),
    "bool": (1, False),
}
ARITHMETIC = ("+", "-", "*", "&", "|", "^")
ASSIGNMENTS = ("+=", "-=", "*=", "|=", "&=", "^=", "<<=", ">>=", "/=", "%=")
COMPARISONS = ("==", "!=", "<", ">", "<=", ">=")
CONSTANTS = ("0", "1", "2047", "2048", "0x7ffU", "0xffffffff", "4294967296", "~0UL")
HARNESS = """
#include <stdio.h>
#include <stdbool.h>
#include <stddef.h>
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define ALIGN(x, a) (((x) + ((typeof(x))(a) - 1)) & ~((typeof(x))(a) - 1))
#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))
#define round_up(x, y) ((((x) - 1) | ((typeof(x))((y) - 1))) + 1)
"""


class Author:
    """Writes random C that no compiler may take for undefined (with -fwrapv)."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.kinds: list[str] = []

    def expr(self, depth: int) -> str:
        dice = self.dice
        if depth == 0 or dice.random() < 0.1:
            return dice.choice(("a", "b", "d", "a", "b", "d", dice.choice(CONSTANTS)))
        x, y = self.expr(depth - 1), self.expr(depth - 1)
        form = dice.randrange(12)
        if form < 4:
            return f"({x} {dice.choice(ARITHMETIC)} {y})"
        if form == 4:
            return f"({x} {dice.choice(('<<', '>>'))} ({y} & 31))"
        if form == 5:
            return f"({x} {dice.choice(('/', '%'))} (({y} & 127) | 1))"
        if form == 6:
            return f"({x} {dice.choice(COMPARISONS)} {y})"
        if form == 7:
            return f"({x} {dice.choice(('&&', '||'))} {y})"
        if form == 8:
            return f"({self.expr(depth - 1)} ? {x} : {y})"
        if form == 9:
            return f"(({dice.choice(list(TYPES))}){x})"
        if form == 10:
            return f"({dice.choice('-~!+')}{x})"
        return self._macro(x, y)

    def _macro(self, x: str, y: str) -> str:
        name = self.dice.choice(("min", "max", "ALIGN", "DIV_ROUND_UP", "round_up"))
        if name in ("min", "max"):
            return f"{name}({x}, {y})"
        if name == "DIV_ROUND_UP":
            return f"{name}({x}, (({y} & 127) | 1))"
        plain = [n for n, kind in zip("abd", self.kinds, strict=True) if kind != "bool"]
        first = self.dice.choice(plain) if plain else "2047UL"
        return f"{name}({first}, {self.dice.choice((1, 8, 2048))})"

    def function(self, number: int) -> str:
        dice = self.dice
        kinds = [dice.choice(list(TYPES)) for _ in range(5)]
        self.kinds = kinds[:3]
        change = self.expr(2)
        operator = dice.choice(ASSIGNMENTS)
        if operator in ("<<=", ">>="):
            change = f"{change} & 31"
        if operator in ("/=", "%="):
            change = f"({change} & 127) | 1"
        step = dice.choice(("e++", "++e", "e--", "--e")) if kinds[3] != "bool" else "e"
        return (
            f"static {kinds[4]} f{number}({kinds[0]} a, {kinds[1]} b, {kinds[2]} d)\n"
            f"{{\n\t{kinds[3]} e = {self.expr(3)};\n"
            f"\te {operator} {change};\n"
            f"\tif ({self.expr(2)})\n\t\tb = {step};\n"
            f"\tif (d && (a = {self.expr(2)}) || (b = {self.expr(1)}, e))\n"
            f"\t\td {dice.choice(ASSIGNMENTS[:6])} a;\n"
            f"\treturn {self.expr(3)} ^ e;\n}}\n"
        )

    def value(self) -> int:
        edges = (0, 1, 2047, 2048, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 63)
        if self.dice.random() < 0.5:
            return self.dice.choice(edges)
        return self.dice.getrandbits(self.dice.choice((8, 16, 32, 64)))


def compiled(text: str, inputs: list[list[int]], folder: Path) -> list[int]:
    """What gcc's program computes, function by function and input by input."""
    rows = ",\n".join(f"{{{', '.join(f'{v}UL' for v in row)}}}" for row in inputs)
    count = text.count("static ")
    calls = "\n".join(
        f'\tprintf("%lu\\n", (unsigned long)f{n}(v[i][0], v[i][1], v[i][2]));'
        for n in range(count)
    )
    source = folder / "check.c"
    source.write_text(
        f"{HARNESS}{text}\nstatic unsigned long v[][3] = {{\n{rows}}};\n"
        f"int main(void)\n{{\n\tfor (int i = 0; i < {len(inputs)}; i++) {{\n"
        f"{calls}\n\t}}\n\treturn 0;\n}}\n"
    )
    flags = ["-O0", "-w", "-fwrapv", "-fno-strict-aliasing"]
    binary = folder / "check"
    subprocess.run(["gcc", *flags, "-o", binary, source], check=True, timeout=300)
    done = subprocess.run([binary], check=True, capture_output=True, timeout=60)
    return [int(line) for line in done.stdout.split()]


def compare(seed: int, functions: int, rows: int, folder: Path) -> int:
    """Evaluate random functions both ways; the number of values compared."""
    author = Author(seed)
    text = "".join(author.function(number) for number in range(functions))
    inputs = [[author.value() for _ in range(3)] for _ in range(rows)]
    expected = compiled(text, inputs, folder)
    machine = Interpreter(small_program(text))
    at = 0
    for row in inputs:
        words = [Word(value, U64) for value in row]
        for number in range(functions):
            value = machine.run(f"f{number}", list(words), State())
            assert isinstance(value, Word)
            got = int(value.cast(U64))
            assert got == expected[at], (f"f{number}", row, got, expected[at])
            at += 1
    return at


needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc")


@needs_gcc
def test_twenty_thousand_values(tmp_path: Path) -> None:
    assert compare(1, 1000, 20, tmp_path) == 20_000


@needs_gcc
@pytest.mark.slow
def test_a_hundred_thousand_expressions(tmp_path: Path) -> None:
    total = 0
    for seed in range(5):
        folder = tmp_path / str(seed)
        folder.mkdir()
        total += 4 * compare(100 + seed, 5000, 1, folder)
    assert total == 100_000
