# SPDX-License-Identifier: GPL-2.0-only
"""What a function calls, walked once for each function."""

from __future__ import annotations

from dataclasses import replace

from bounceproof.source.cparse import syntax as c
from bounceproof.source.cparse.walk import calls_of


def calling(*names: str) -> c.Block:
    calls = [c.Call(1, c.Name(1, name), []) for name in names]
    return c.Block(1, [c.ExprStatement(1, call) for call in calls])


def test_another_body_has_calls_of_its_own() -> None:
    one = c.Function("f", "a.c", 1, c.VoidType(), [], calling("g", "h", "g"), False)
    assert calls_of(one) == calls_of(one) == ("g", "h", "g")
    assert calls_of(replace(one, body=calling("k"))) == ("k",)
    assert repr(one) == repr(replace(one))
