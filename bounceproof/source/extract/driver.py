# SPDX-License-Identifier: GPL-2.0-only
"""What nvme-pci asks for: its alignment mask and its size limit."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bounceproof.models.words.word import TRUE, U32, Word
from bounceproof.source.cparse import syntax as c
from bounceproof.source.cparse.walk import walk
from bounceproof.source.errors import NotUnderstood, SourceError
from bounceproof.source.eval.memory import Location, Pointer, State
from bounceproof.source.extract.machine import Machine
from bounceproof.source.program.program import Program

FILE = "drivers/nvme/host/pci.c"
SECTOR_SHIFT = 9
_SETTING = re.compile(
    r"\bdma_set_min_align_mask\s*\(|\bmax_hw_sectors\s*(?:[-+*/%&|^]|<<|>>)?=(?!=)"
)


class Driver:
    """Evaluates expressions of nvme-pci on the device of a machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._program = machine.program

    def align_mask(self) -> int:
        """The mask passed to dma_set_min_align_mask(); 0 where it is not called."""
        for function, path, node in self._places():
            if _calls(node, "dma_set_min_align_mask"):
                assert isinstance(node, c.Call)
                return int(self._evaluate(function, path, node.arguments[1]))
        return 0

    def limit(self) -> int:
        """max_hw_sectors in bytes, as it is set before the controller is asked.

        Where the same function sets the limit before the device's min_align_mask, the
        device has none yet.
        """
        found: list[int] = []
        masked: dict[str, bool] = {}
        places = list(self._places())
        for function, _, node in places:
            if _calls(node, "dma_set_min_align_mask"):
                masked[function.name] = False
        for function, path, node in places:
            if _calls(node, "dma_set_min_align_mask"):
                masked[function.name] = True
            elif isinstance(node, c.Assign) and _is_limit(node.target):
                first = not masked.get(function.name, True)
                limit = self._evaluate(function, path, node.value, unmasked=first)
                found.append(int(limit))
        if not found:
            need = "an assignment to max_hw_sectors"
            raise NotUnderstood(FILE, 0, "the driver's limit", need)
        return min(found) << SECTOR_SHIFT

    def _places(self) -> Iterator[tuple[c.Function, list[c.Statement], c.Node]]:
        """Expressions of the driver, with the statements before each.

        Raises NotUnderstood where code that speaks of them cannot be read.
        """
        if FILE not in self._program.units:
            raise SourceError(f"{FILE}: no such file in this tree")
        for error, text in self._program.unread_in(FILE):
            if _mentions([text]):
                raise error
        for name in self._program.functions_in(FILE):
            lines = self._program.units[FILE].source
            extent = self._program.extent(name, FILE)
            if extent is None or not _mentions(lines[extent[0] - 1 : extent[1]]):
                continue
            function = self._program.function(name, FILE)
            if function is not None:
                places = list(_with_path(function))
                self._check_all_found(function, [node for _, _, node in places])
                yield from places

    def _check_all_found(self, function: c.Function, nodes: list[c.Node]) -> None:
        """No call or assignment that the text has is missing among ``nodes``."""
        text = self._program.source(function)
        found = sum(_calls(node, "dma_set_min_align_mask") for node in nodes)
        found += sum(isinstance(n, c.Assign) and _is_limit(n.target) for n in nodes)
        if found < len(_SETTING.findall(text)):
            shown = self._program.text(FILE, function.line)
            need = "each call and assignment as a statement"
            raise NotUnderstood(FILE, function.line, shown, need)

    def _evaluate(
        self,
        function: c.Function,
        path: list[c.Statement],
        expr: c.Expr,
        *,
        unmasked: bool = False,
    ) -> Word:
        machine = self._machine
        state = machine.start_state.fork(TRUE)
        if unmasked:
            at, tag = machine.parameters, "device_dma_parameters"
            machine.poke(state, at, tag, "min_align_mask", Word(0, U32))
        machine.file = function.file
        machine.local_types = {}
        state.frame = -1
        state.frames = {-1: {}}
        for name, _, kind in function.parameters:
            self._declare(name, kind, state)
        wanted = {n.name for n in walk(expr) if isinstance(n, c.Name) and n.local}
        for statement in _slice(path, wanted):
            if isinstance(statement, c.Declare) and self._declare(
                statement.name, statement.type, state
            ):
                continue
            outcomes = machine.execute(statement, state)
            if len(outcomes) != 1 or outcomes[0].kind != "next":
                raise machine.fail(statement, "a statement without jumps")
            state.become(outcomes[0].state)
        return machine.word(expr, state)

    def _declare(self, name: str, kind: c.Type, state: State) -> bool:
        """Give a variable that stands for the device its meaning."""
        machine = self._machine
        machine.local_types[name] = kind
        if not isinstance(kind, c.PointerType) or not isinstance(kind.to, c.StructType):
            return False
        at = self._stand_in(kind.to.tag, state)
        if at is None:
            return False
        state.frames[-1][(-1, name)] = Pointer(at, kind.to)
        return True

    def _stand_in(self, tag: str, state: State) -> Location | None:
        machine = self._machine
        if tag == "device":
            return machine.device
        if tag == "pci_dev":
            self._alias_device(state)
            return machine.pci
        if tag in ("nvme_dev", "nvme_ctrl"):
            at: Location = (machine.new(tag, c.StructType(tag), zeroed=False),)
            inner = (*at, "ctrl") if tag == "nvme_dev" else at
            pointer = machine.device_pointer
            machine.poke(state, at, tag, "dev", pointer)
            machine.poke(state, inner, "nvme_ctrl", "dev", pointer)
            machine.poke(state, inner, "nvme_ctrl", "device", pointer)
            return at
        return None

    def _alias_device(self, state: State) -> None:
        """&pdev->dev is the device: copy what is stated about it."""
        device, inner = self._machine.device, (*self._machine.pci, "dev")
        for at, value in list(state.memory.items()):
            if at[: len(device)] == device:
                state.memory[(*inner, *at[len(device) :])] = value


def _mentions(lines: list[str]) -> bool:
    text = "\n".join(lines)
    return "max_hw_sectors" in text or "dma_set_min_align_mask" in text


def _calls(node: c.Node, name: str) -> bool:
    return (
        isinstance(node, c.Call)
        and isinstance(node.function, c.Name)
        and node.function.name == name
        and len(node.arguments) == 2
    )


def _is_limit(target: c.Expr) -> bool:
    return isinstance(target, c.Member) and target.name == "max_hw_sectors"


def read_names(program: Program) -> tuple[set[str], set[str]]:
    """The driver's functions that are read, and what their limit and mask mention."""
    functions: set[str] = set()
    mentioned: set[str] = set()
    for name in program.functions_in(FILE) if FILE in program.units else ():
        first, last = program.extent(name, FILE) or (1, 0)
        if not _mentions(program.units[FILE].source[first - 1 : last]):
            continue
        function = program.function(name, FILE)
        for _, path, node in _with_path(function) if function is not None else ():
            asked = isinstance(node, c.Assign) and _is_limit(node.target)
            if asked or _calls(node, "dma_set_min_align_mask"):
                names = {n.name for n in walk(node) if isinstance(n, c.Name)}
                parts = [node, *_slice(path, names)]
                mentioned |= {n.name for n in walk(parts) if isinstance(n, c.Name)}
                functions.add(name)
    return functions, mentioned


def _with_path(
    function: c.Function,
) -> Iterator[tuple[c.Function, list[c.Statement], c.Node]]:
    """Every expression with the statements that come before it on its way."""

    def descend(
        block: c.Block, before: list[c.Statement]
    ) -> Iterator[tuple[c.Function, list[c.Statement], c.Node]]:
        path = list(before)
        for statement in block.body:
            for inner in _blocks(statement):
                yield from descend(inner, path)
            for node in _own(statement):
                yield function, list(path), node
            path.append(statement)

    yield from descend(function.body, [])


def _blocks(statement: c.Statement) -> list[c.Block]:
    if isinstance(statement, c.Block):
        return [statement]
    if isinstance(statement, c.If):
        sides = [statement.then, statement.other]
        return [side for side in sides if isinstance(side, c.Block)]
    if isinstance(statement, c.Loop | c.Switch) and isinstance(statement.body, c.Block):
        return [statement.body]
    return []


def _own(statement: c.Statement) -> Iterator[c.Node]:
    """The expressions of a statement that are not in a block of its own."""
    if isinstance(statement, c.ExprStatement):
        yield from walk(statement.expr)
    elif isinstance(statement, c.Declare) and statement.value is not None:
        yield from walk(statement.value)
    elif isinstance(statement, c.If):
        yield from walk(statement.condition)
    elif isinstance(statement, c.Return) and statement.value is not None:
        yield from walk(statement.value)


def _slice(path: list[c.Statement], wanted: set[str]) -> list[c.Statement]:
    """The statements of ``path`` that the variables ``wanted`` depend on."""
    kept: list[c.Statement] = []
    wanted = set(wanted)
    for statement in reversed(path):
        names = {n.name for n in walk(statement) if isinstance(n, c.Name) and n.local}
        if _assigned(statement) & wanted:
            kept.append(statement)
            wanted |= names
    return kept[::-1]


def _assigned(statement: c.Statement) -> set[str]:
    found: set[str] = set()
    for node in walk(statement):
        if isinstance(node, c.Declare):
            found.add(node.name)
        elif isinstance(node, c.Assign | c.Update) and isinstance(node.target, c.Name):
            found.add(node.target.name)
        elif (
            isinstance(node, c.Unary)
            and node.op == "&"
            and isinstance(node.operand, c.Name)
        ):
            found.add(node.operand.name)
    return found
