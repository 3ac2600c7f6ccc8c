# SPDX-License-Identifier: GPL-2.0-only
"""Linked lists: struct list_head, and walks over what it holds.

Source: include/linux/list.h and rculist.h, v6.12.  The prelude spells the loops as
calls of ``__first``, ``__more`` and ``__next``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from bounceproof.models.words.word import INT, Word
from bounceproof.source.cparse import syntax as c
from bounceproof.source.eval.expr import Expressions
from bounceproof.source.eval.memory import (
    NOTHING,
    NULL,
    Literal,
    Location,
    Pointer,
    State,
    Value,
)

Operation: TypeAlias = Callable[[Expressions, c.Call, State], Value]
HEAD = c.StructType("list_head")
_LINK = c.PointerType(HEAD)


def head_at(at: Location) -> Pointer:
    """A pointer to the list_head at ``at``."""
    return Pointer(at, HEAD)


def join(state: State, first: Location, second: Location) -> None:
    """Have ``second`` follow ``first``."""
    state.memory[(*first, "next")] = head_at(second)
    state.memory[(*second, "prev")] = head_at(first)


def _place(ev: Expressions, call: c.Call, state: State, position: int) -> Location:
    if len(call.arguments) <= position:
        raise ev.fail(call, f"at least {position + 1} arguments")
    at, kind, _ = ev.target(ev.value(call.arguments[position], state), call)
    if kind != HEAD:
        raise ev.fail(call, "a list that is known")
    return at


def _linked(
    ev: Expressions, call: c.Call, state: State, at: Location, way: str = "next"
) -> Location:
    link = ev.load(state, (*at, way), _LINK, call)
    if not isinstance(link, Pointer) or link.at is None or link.there.raw is not True:
        raise ev.fail(call, "a list whose entries are known")
    return link.at


def _entry(
    ev: Expressions, call: c.Call, state: State, before: Location, head: Location
) -> Value:
    """What holds the list_head after ``before``; NULL at the end of the list."""
    after = _linked(ev, call, state, before)
    if after == head:
        return NULL
    member = ev.value(call.arguments[-1], state)
    if not isinstance(member, Literal) or after[-1] != member.text.strip('"'):
        raise ev.fail(call, "a list whose entries are of one kind")
    return Pointer(after[:-1], c.VoidType())


def _first(ev: Expressions, call: c.Call, state: State) -> Value:
    head = _place(ev, call, state, 0)
    return _entry(ev, call, state, head, head)


def _next(ev: Expressions, call: c.Call, state: State) -> Value:
    held, _, _ = ev.target(ev.value(call.arguments[0], state), call)
    member = ev.value(call.arguments[-1], state)
    name = member.text.strip('"') if isinstance(member, Literal) else ""
    return _entry(ev, call, state, (*held, name), _place(ev, call, state, 1))


def _more(ev: Expressions, call: c.Call, state: State) -> Value:
    return ev.is_true(ev.value(call.arguments[0], state), call).word(INT)


def _make_empty(ev: Expressions, call: c.Call, state: State) -> Value:
    at = _place(ev, call, state, 0)
    join(state, at, at)
    return NOTHING


def _empty(ev: Expressions, call: c.Call, state: State) -> Value:
    at = _place(ev, call, state, 0)
    return Word(int(_linked(ev, call, state, at) == at), INT)


def _add(ev: Expressions, call: c.Call, state: State) -> Value:
    new, head = _place(ev, call, state, 0), _place(ev, call, state, 1)
    after = _linked(ev, call, state, head)
    join(state, new, after)
    join(state, head, new)
    return NOTHING


def _add_tail(ev: Expressions, call: c.Call, state: State) -> Value:
    new, head = _place(ev, call, state, 0), _place(ev, call, state, 1)
    before = _linked(ev, call, state, head, "prev")
    join(state, before, new)
    join(state, new, head)
    return NOTHING


def _delete(ev: Expressions, call: c.Call, state: State) -> Value:
    at = _place(ev, call, state, 0)
    before = _linked(ev, call, state, at, "prev")
    join(state, before, _linked(ev, call, state, at))
    return NOTHING


LIST_OPERATIONS: dict[str, Operation] = {
    "__first": _first,
    "__next": _next,
    "__more": _more,
    "list_empty": _empty,
    **dict.fromkeys(("INIT_LIST_HEAD", "INIT_LIST_HEAD_RCU"), _make_empty),
    **dict.fromkeys(("list_add", "list_add_rcu"), _add),
    **dict.fromkeys(("list_add_tail", "list_add_tail_rcu"), _add_tail),
    **dict.fromkeys(("list_del", "list_del_rcu"), _delete),
}
