# SPDX-License-Identifier: GPL-2.0-only
"""C that is meant to hurt the reader, or that it must not guess about."""

from __future__ import annotations

import time

import pytest

from bounceproof.models.words.word import INT, Word
from bounceproof.source.errors import (
    Endless,
    KernelBug,
    NotUnderstood,
    SourceError,
    UninitialisedRead,
)
from bounceproof.source.eval.interp import Interpreter
from bounceproof.source.eval.memory import State
from tests.source.trees import small_program


def run(text: str, *numbers: int) -> int:
    machine = Interpreter(small_program(text))
    words = [Word(number, INT) for number in numbers]
    value = machine.run("f", list(words), State())
    assert isinstance(value, Word)
    return int(value)


DOUBLING = "".join(f"#define M{n + 1} M{n} M{n}\n" for n in range(40))


@pytest.mark.parametrize(
    "text",
    [
        "#define M0 1 +\n" + DOUBLING + "int f(void)\n{\n\treturn M40 0;\n}\n",
        "int f(void)\n{\n\treturn " + "(" * 50_000 + "1" + ")" * 50_000 + ";\n}\n",
        "int f(void)\n{\n\treturn " + "-~" * 50_000 + "1;\n}\n",
        "int f(void)\n{\n\treturn f();\n}\n",
        "int f(void)\n{\n\treturn 1 / 0;\n}\n",
        "int f(void)\n{\n\treturn *(int *)8;\n}\n",
        "int f(void)\n{\n\treturn unknown;\n}\n",
        'int f(void)\n{\n\tasm("nop");\n\treturn 0;\n}\n',
        "int f(void)\n{\n\tstatic int x;\n\treturn x;\n}\n",
        "int f(void)\n{\n\treturn 1 +;\n}\n",
        "int f(void)\n{\n\tgoto away;\n}\n",
        "#if 1 +\n#endif\nint f(void)\n{\n\treturn 0;\n}\n",
        "#define TWICE(x) ((x) + (x))\nint f(void)\n{\n\treturn TWICE(1, 2);\n}\n",
        "int f(void)\n{\n\tlong k = 0;\n\tfor (;;)\n\t\tk++;\n\treturn k;\n}\n",
        "int f(void)\n{\n\tlong k = 0;\nmore:\n\tk++;\n\tgoto more;\n}\n",
        "int f(void)\n{\n\tint k = 0;\nmore:\n\tk = 0;\n\tgoto more;\n}\n",
        "int f(void)\n{\n\tlong i;\n\tint v[9];\n\tfor (i = 0; i < 1L << 40; i++)\n"
        "\t\tv[i] = i;\n\treturn 0;\n}\n",
        "int g(int a)\n{\n\treturn a > 50 ? a : g(a + 1) + g(a + 1);\n}\n"
        "int f(void)\n{\n\treturn g(0);\n}\n",
        "int f(void)\n{\n\treturn 1 << 99;\n}\n",
        "int f(void)\n{\n\treturn 1 >> -1;\n}\n",
        "#if 1\nint f(void)\n{\n\treturn 0;\n}\n",
        "#if " + "(" * 3000 + "1" + ")" * 3000 + "\n#endif\n",
        "#if 1\n" * 90_000 + "int f(void)\n{\n\treturn 0;\n}\n" + "#endif\n" * 90_000,
        "#define M(x) x\nint f(void)\n{\n\treturn M(\n" + "1 +\n" * 90_000 + ";\n}\n",
        "int f(void)\n{\n" + "{" * 20_000 + "}" * 20_000 + "\treturn 3;\n}\n",
        "int f(void)\n{\n" + "\tif (0) return 1; else\n" * 5000 + "\treturn 3;\n}\n",
    ],
)
def test_is_refused_in_time(text: str) -> None:
    begun = time.process_time()
    with pytest.raises(SourceError) as caught:
        run(text)
    assert "\n" not in str(caught.value)
    assert time.process_time() - begun < 10


def test_a_large_switch_is_run() -> None:
    cases = "".join(f"\tcase {100 + n}: return {n};\n" for n in range(5000))
    assert (
        run(f"int f(int a)\n{{\n\tswitch (a) {{\n{cases}\t}}\n\treturn 3;\n}}\n", 140)
        == 40
    )


def test_self_reference_ends() -> None:
    assert run("int y = 4;\n#define y (y + 1)\nint f(void)\n{\n\treturn y;\n}\n") == 5


def test_place_and_need_are_named() -> None:
    with pytest.raises(NotUnderstood) as caught:
        run("\n\nint f(void)\n{\n\treturn strange(3);\n}\n")
    assert (caught.value.line, caught.value.text) == (5, "return strange(3);")
    assert "strange" in caught.value.need


def test_uninitialised() -> None:
    with pytest.raises(UninitialisedRead, match="`x`"):
        run("int f(void)\n{\n\tint x;\n\treturn x;\n}\n")


def test_bug_on() -> None:
    text = "int f(int a)\n{\n\tBUG_ON(a > 3);\n\treturn a;\n}\n"
    assert run(text, 3) == 3
    with pytest.raises(KernelBug):
        run(text, 4)


def test_endless_loop() -> None:
    text = "int f(int a)\n{\n\tdo {\n\t\ta = (a + 3) & 63;\n\t} while (a != 100);\n}\n"
    with pytest.raises(Endless):
        run(text, 1)


def test_long_loop_is_not_endless() -> None:
    body = "int s = 0;\n\twhile (n--)\n\t\ts += n & 1;\n\treturn s;"
    text = f"int f(int n)\n{{\n\t{body}\n}}\n"
    assert run(text, 20_000) == 10_000


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            "int i, s = 0; for (i = 0; ; i++) { if (i == 3) break; s += i; } return s;",
            3,
        ),
        ("int s = 0; again: s++; if (s < 7) goto again; return s;", 7),
        ("switch (2) { case 1: return 1; case 2: case 3: return 5; } return 0;", 5),
        ("switch (9) { case 1: return 1; default: break; } return 4;", 4),
        ("int x = 1; { int x = 2; x++; } return x;", 1),
        ("unsigned short x = 65535; x++; return x;", 0),
        ("return ({ int y = 4; y * 2; });", 8),
        ("return sizeof(unsigned long) + sizeof(int);", 12),
        ("return (-1 < 1U) + 2 * (-1L < 1U);", 2),
        ("bool b = 256; return b;", 1),
        ("int v[3]; v[1] = 6; return *(v + 1);", 6),
        ("int a = 3, *p = &a; *p += 4; return a;", 7),
        ("int n = 5; return 100 - (n * (n + 1)) - n;", 65),
        ("return clamp(9, 1, 5) + min_t(u8, 257, 3) + ilog2(4096) + fls(255);", 26),
    ],
)
def test_statements(body: str, expected: int) -> None:
    assert run(f"int f(void)\n{{\n\t{body}\n}}\n") == expected
