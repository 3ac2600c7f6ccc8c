# SPDX-License-Identifier: GPL-2.0-only
"""Changes that show for one value of one variable alone."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from tree_sitter import Node

from tools.c_mutants.functions import Body, descend
from tools.c_mutants.operators import Edit

_INTEGER = re.compile(r"\b(int|unsigned|long|short|size_t|u64|u32|s64)\b|_addr_t\b")
_PLACES = (1, 2, 5, 17, 31, 63, 64, 100, 126, 127, 129, 200, 255, 300, 517, 1000, 3000)
_MEMBERS = ("area->used", "area->index", "mem->nslabs", "pool->nslabs")


@dataclass(frozen=True, slots=True)
class Trigger:
    """A condition in C; ``bits`` the address bits it asks for, as mask and value."""

    text: str
    bits: tuple[tuple[int, int], ...] = ()


def _values(name: str, dice: random.Random) -> int:
    if "area" in name and "index" in name:
        return dice.choice((0, 1, 2, 3))
    if re.search(r"size|sz", name):
        unit = dice.choice((512, 512, 2048, 4096, 65536))
        return unit * dice.randrange(1, (252 << 10) // unit + 1)
    if "nslots" in name or name == "count":
        return dice.randrange(1, 129)
    if "used" in name:
        return dice.choice((0, 1, 64, 100, 127, 200, 333, 1000, 3000))
    if "nslabs" in name:
        return dice.choice((128, 256, 512, 4096, 16384))
    if "offset" in name:
        return dice.choice((0, 4, 512, 1024, 1536, 2044, 2048, 4092))
    if re.search(r"mask|stride", name):
        return dice.choice((1, 2, 4, 32, 0x7FF, 0xFFF, 0xFFFF))
    return dice.choice(_PLACES)


def condition(name: str, dice: random.Random) -> Trigger:
    """That ``name`` has one value, or some of its bits have, or it is above one."""
    if re.search(r"addr|phys", name):
        shift, width = dice.choice((2, 9, 11, 12, 16, 20, 24)), dice.randrange(2, 8)
        mask = (1 << width) - 1
        value = dice.randrange(mask + 1)
        text = f"(({name} >> {shift}) & {mask:#x}) == {value:#x}"
        return Trigger(text, ((mask << shift, value << shift),))
    value = _values(name, dice)
    sign = dice.choice(("==", "==", "==", "==", ">"))
    return Trigger(f"{name} {sign} {value}")


def variables(body: Body) -> dict[str, int]:
    """Integer variables and parameters, with the byte from which they have a value."""
    found: dict[str, int] = {}
    for node in descend(body.node):
        if node.type not in ("declaration", "parameter_declaration"):
            continue
        kind = node.child_by_field_name("type")
        if kind is None or not _INTEGER.search(body.source(kind)):
            continue
        for shape in node.children_by_field_name("declarator"):
            name = shape
            if shape.type == "init_declarator":
                name = shape.child_by_field_name("declarator") or shape
            if name.type != "identifier":
                continue
            given = node.type == "parameter_declaration" or shape is not name
            found[body.source(name)] = node.end_byte if given else -1
    for node in descend(body.node):
        target = node.child_by_field_name("left")
        if node.type == "assignment_expression" and target is not None:
            name_text = body.source(target)
            if found.get(name_text) == -1:
                found[name_text] = node.end_byte
    text = body.text.decode()
    for member in _MEMBERS:
        at = text.find(member)
        base = re.search(rf"\*{member.split('->')[0]}\b", text)
        if at >= 0 and base is not None:
            found[member] = base.end()
    return {name: at for name, at in found.items() if at >= 0}


def _places(body: Body, after: int) -> list[Node]:
    """Statements that begin after byte ``after``, declarations aside."""
    return [
        node
        for node in descend(body.node)
        if node.parent is not None
        and node.parent.type == "compound_statement"
        and node.is_named
        and node.type not in ("declaration", "comment", "labeled_statement")
        and node.start_byte > after
        and body.kept(node)
    ]


def _loop_around(node: Node) -> bool:
    above = node.parent
    while above is not None:
        if above.type in ("for_statement", "while_statement", "do_statement"):
            return True
        above = above.parent
    return False


def _exits(body: Body, at: Node) -> list[str]:
    """Jumps of the function that can stand at ``at``."""
    found = []
    for node in descend(body.node):
        if node.type in ("return_statement", "goto_statement"):
            found.append(" ".join(body.source(node).split()))
    kind = body.node.child_by_field_name("type")
    if kind is not None and body.source(kind) == "void":
        found.append("return;")
    if _loop_around(at):
        found += ["break;", "continue;"]
    return found


def trigger(body: Body, dice: random.Random) -> tuple[tuple[Edit, ...], Trigger] | None:
    """An exit, a change or a statement left out for one value; None without a place."""
    held = variables(body)
    if not held:
        return None
    name = dice.choice(sorted(held))
    when = condition(name, dice)
    places = _places(body, held[name])
    if not places:
        return None
    at = dice.choice(places)
    way = dice.randrange(3)
    if way == 0 and (exits := _exits(body, at)):
        return _before(at, f"if ({when.text})\n\t\t{dice.choice(exits)}"), when
    if way == 1 and at.type == "expression_statement":
        text = " ".join(body.source(at).split())
        edit = Edit(at.start_byte, at.end_byte, f"if (!({when.text}))\n\t\t{text}")
        return (edit,), when
    near = sorted(n for n in held if held[n] < at.start_byte and "->n" not in n)
    target = dice.choice(near) if near else name
    step = dice.choice(("+= 1", "-= 1", "+= 2", "<<= 1", "= 0"))
    return _before(at, f"if ({when.text})\n\t\t{target} {step};"), when


def _before(at: Node, text: str) -> tuple[Edit, ...]:
    return (Edit(at.start_byte, at.start_byte, f"{text}\n\t"),)
