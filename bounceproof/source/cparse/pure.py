# SPDX-License-Identifier: GPL-2.0-only
"""Which expressions have no effect but their value."""

from __future__ import annotations

from bounceproof.source.cparse import syntax as c


def is_pure(expr: c.Expr | None) -> bool:
    """Whether evaluating ``expr`` changes nothing and calls nothing."""
    if expr is None or isinstance(expr, c.Number | c.Text | c.Name | c.TypeArgument):
        return True
    if isinstance(expr, c.Unary | c.Cast):
        return is_pure(expr.operand)
    if isinstance(expr, c.Binary | c.Comma):
        return is_pure(expr.left) and is_pure(expr.right)
    if isinstance(expr, c.Member):
        return is_pure(expr.base)
    if isinstance(expr, c.Index):
        return is_pure(expr.base) and is_pure(expr.index)
    if isinstance(expr, c.Conditional):
        return all(is_pure(e) for e in (expr.condition, expr.then, expr.other))
    return isinstance(expr, c.SizeOf)
