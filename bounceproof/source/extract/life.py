# SPDX-License-Identifier: GPL-2.0-only
"""What becomes of a mapping, computed by the tree's own C.

The entry point maps the request with the search ended at a given slot; what it copies,
fills and maps is recorded, and syncs and the end of the mapping run on from there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import reduce

from bounceproof.models.formulas.lifetime import (
    BIDIRECTIONAL,
    FROM_DEVICE,
    TO_DEVICE,
    Copy,
    Placed,
    Range,
    Release,
)
from bounceproof.models.request import Cell, Path
from bounceproof.models.words.word import (
    FALSE,
    S64,
    SIZE_T,
    TRUE,
    U32,
    U64,
    UNSIGNED_INT,
    Truth,
    Word,
    ite,
    minimum,
)
from bounceproof.source.cparse import syntax as c
from bounceproof.source.errors import NotUnderstood
from bounceproof.source.eval.core import Event
from bounceproof.source.eval.memory import NOTHING, Address, State, Value
from bounceproof.source.eval.paths import PathEnds
from bounceproof.source.extract.cut import Fresh
from bounceproof.source.extract.live_machine import LiveMachine
from bounceproof.source.extract.record import (
    Key,
    Leftovers,
    Record,
    Write,
    taken_over,
)
from bounceproof.source.extract.run import entry_values
from bounceproof.source.extract.search import Shape
from bounceproof.source.extract.stages import (
    GIVEN_BACK,
    IN_C,
    SYNCS,
    UNMAPS,
    Stage,
    Step,
    Story,
    Sync,
    at_device,
)
from bounceproof.source.program.program import Program

_FILE = "kernel/dma/swiotlb.c"


class SourceLife:
    """The :class:`~.formulas.lifetime.Life` of mappings in ``cell``."""

    def __init__(
        self,
        program: Program,
        cell: Cell,
        entry: c.Function,
        shape: Shape,
        fresh: Fresh,
        machine: type[LiveMachine] = LiveMachine,
    ) -> None:
        self._program, self._cell, self._entry = program, cell, entry
        self._machine = machine(program, cell, shape, fresh)
        self._placed: Placed | None = None
        self._stories: dict[int, Story] = {}
        self._releases: Release | None = None

    def leave(self, leftovers: Leftovers) -> None:
        """Have free slots hold what earlier mappings left in them."""
        self._machine.leave(leftovers)

    def surround(self, others: Leftovers) -> None:
        """Have every slot that is not the mapping's own hold what others need there."""
        self._machine.surround(others)

    # The mapping.

    def _story(self, placed: Placed, direction: int) -> Story:
        if placed is not self._placed:
            self._placed, self._releases = placed, None
            self._stories.clear()
        if direction not in self._stories:
            try:
                self._stories[direction] = self._tell(placed, direction)
            except PathEnds:
                need = "a slot that the search can end at"
                raise NotUnderstood(_FILE, 0, f"slot {placed.slot}", need) from None
        return self._stories[direction]

    def _tell(self, placed: Placed, direction: int, room: Word | None = None) -> Story:
        machine = self._machine
        state = machine.begin(placed.pool, placed.slot, room)
        machine.own(placed.slot.cast(S64), placed.mapping.nslots)
        for name in GIVEN_BACK:
            machine.hooks[name] = lambda state, arguments, node: NOTHING
        values = entry_values(machine, placed.request) | _directed(direction)
        try:
            result = self._invoke(self._entry, values, state)
        finally:
            for name in GIVEN_BACK:
                del machine.hooks[name]
        return Story(state, machine.record, tuple(machine.events), result)

    def _invoke(
        self, function: c.Function, values: dict[str, Value], state: State
    ) -> Value:
        machine = self._machine
        arguments = machine.bind(function, values)
        return machine.invoke(function, arguments, state, c.Empty(function.line))

    def _steps(self, events: tuple[Event, ...], kind: str) -> list[Step]:
        return [self._step(event) for event in events if event.kind == kind]

    def _step(self, event: Event) -> Step:
        node = c.Empty(self._entry.line)
        words = [
            self._machine.as_word(value, node).cast(U64)
            if isinstance(value, Word | Address)
            else Word(0, U64)
            for value in event.data["arguments"]
        ]
        if event.kind == "iommu_map":
            return Step(event.condition, words[2], words[1], words[3])
        known = event.data.get("function", "memset")
        if known not in ("memcpy", "memset"):
            need = f"{known}() with the addresses of both sides"
            raise NotUnderstood(_FILE, 0, known, need)
        return Step(event.condition, words[0], words[1], words[2])

    # The interface.

    def slots(self, placed: Placed) -> Range:
        """The bytes of the slots whose list[] the search sets."""
        write = self._one_span(self._story(placed, TO_DEVICE).record, 0, "takes slots")
        return _bytes(placed, write)

    def _one_span(self, record: Record, start: int, what: str) -> Write:
        spans = [w for w in record.of(self._machine.list_key)[start:] if w.looped]
        if len(spans) != 1:
            need = f"one loop that {what}; there are {len(spans)}"
            raise NotUnderstood(_FILE, 0, "list[]", need)
        return spans[0]

    def overtakes(self, placed: Placed) -> Truth:
        """Whether a run one slot shorter than what is taken is taken as well."""
        first, end = self.slots(placed)
        room = ((end - first) >> placed.pool.geometry.shift) - 1
        with suppress(PathEnds):
            self._tell(placed, TO_DEVICE, room)
        taken = [e for e in self._machine.events if e.kind == "taken"]
        return taken[-1].condition if taken else FALSE

    def trespasses(self, placed: Placed, sync: tuple[Word, Word, Word] | None) -> Truth:
        """Whether a field of another mapping's slot is read or written, list[] aside.

        Asked of the mapping and its end in each direction, and of ``sync`` (direction,
        offset and size).
        """
        beyond = FALSE
        for index in IN_C:
            story = self._story(placed, index)
            records = [story.record]
            if self._made(story) and self._cell.path in UNMAPS:
                self._unmap(placed, story, index)
                records.append(self._machine.record)
            beyond = beyond | self._beyond(story, records)
            if sync is None or not self._made(story):
                continue
            for whom in ("device", "cpu"):
                self._sync(placed, index, sync[1], sync[2], whom)
                here = self._beyond(story, [self._machine.record])
                beyond = beyond | (sync[0].eq(index) & here)
        return beyond

    def _beyond(self, story: Story, records: list[Record]) -> Truth:
        machine, beyond = self._machine, FALSE
        taken = self._one_span(story.record, 0, "takes slots")

        def own(key: Key) -> bool:
            return key != machine.list_key and key[0] != machine.areas[0]

        for record in records:
            beyond = beyond | record.beyond(taken.first, taken.last, own)
        return beyond

    def handed_out(self, placed: Placed) -> Range:
        """The page that swiotlb_alloc() returns, or all that the device's address
        leads to in any direction."""
        if self._cell.path is not Path.ALLOC:
            led = [self._led(placed, self._story(placed, way)) for way in IN_C]
            first = last = led[0]
            for at in led[1:]:
                first, last = minimum(first, at), ite(at > last, at, last)
            return first, last + placed.mapping.size
        result = self._story(placed, TO_DEVICE).result
        if not isinstance(result, Address):
            raise NotUnderstood(_FILE, 0, "swiotlb_alloc()", "a page that is returned")
        page = Word(self._cell.page_size - 1, U64)
        return result.word, result.word + ((placed.mapping.size + page) & ~page)

    def _led(self, placed: Placed, story: Story) -> Word:
        """The address that the device's leads to, where it is told of one."""
        if not self._made(story):
            return placed.tlb_addr
        handle = self._handle(story)
        for step in self._steps(story.events, "iommu_map")[-1:]:
            handle = step.to + (handle - step.other)
        return handle

    def reach(self, placed: Placed) -> tuple[Range, ...]:
        """What iommu_map() is told to map; without an IOMMU the mapping itself."""
        if not self._cell.path.has_granule:
            return ((placed.tlb_addr, placed.tlb_addr + placed.mapping.size),)
        return tuple(
            step.range
            for direction in IN_C
            for step in self._steps(self._story(placed, direction).events, "iommu_map")
        )

    def zeroed(self, placed: Placed, direction: Word) -> tuple[Range, ...]:
        """What the entry point fills with 0 once it has the buffer."""
        ranges: list[Range] = []
        for index in IN_C:
            here = direction.eq(index)
            if here.raw is False:
                continue
            for step in self._fills(self._story(placed, index)):
                first, end = step.range
                ranges.append((first, ite(here, end, first)))
        return tuple(ranges)

    def _fills(self, story: Story) -> list[Step]:
        steps = self._steps(story.events, "fill")
        if any(type(step.other.raw) is not int or int(step.other) for step in steps):
            raise NotUnderstood(_FILE, 0, "memset()", "a fill with 0")
        return steps

    def copied_in(self, placed: Placed, direction: Word) -> Truth:
        """Whether one copy has all of the original, and no fill follows over it."""
        copied = FALSE
        for index in IN_C:
            here = direction.eq(index)
            if here.raw is not False:
                kept = self._kept(placed, self._story(placed, index))
                copied = copied | (here & kept)
        return copied

    def _kept(self, placed: Placed, story: Story) -> Truth:
        tlb, mapping = placed.tlb_addr, placed.mapping
        end, kept = tlb + mapping.size, FALSE
        for event in story.events:
            if event.kind == "copy":
                step = self._step(event)
                whole = step.to.eq(tlb) & step.other.eq(mapping.orig_addr)
                kept = kept | (step.condition & whole & step.size.eq(mapping.size))
            elif event.kind == "fill":
                first, last = self._step(event).range
                kept = kept & ~((first < end) & (last > tlb) & (first < last))
        return kept

    def sync_copy(
        self, placed: Placed, direction: Word, offset: Word, length: Word
    ) -> Copy:
        """What dma_sync_single_for_device() copies to a device, else _for_cpu()."""
        nothing = Word(0, SIZE_T)
        copy = Copy(
            placed.mapping.orig_addr + offset, placed.tlb_addr + offset, nothing
        )
        for index in IN_C:
            here = direction.eq(index)
            if here.raw is False:
                continue
            whom = "device" if index == TO_DEVICE else "cpu"
            for step in self._sync(placed, index, offset, length, whom):
                done = here & step.condition
                tlb, orig = step.to, step.other
                if index != TO_DEVICE:
                    tlb, orig = orig, tlb
                copy = Copy(
                    ite(done, orig, copy.orig_addr),
                    ite(done, tlb, copy.tlb_addr),
                    ite(done, step.size, copy.size),
                )
        return copy

    def _sync(
        self, placed: Placed, direction: int, offset: Word, length: Word, whom: str
    ) -> list[Step]:
        story = self._story(placed, direction)
        if not self._made(story):
            return []
        function = self._function((SYNCS[self._cell.path] + whom,))
        moved = self._handle(story) + offset
        values = self._again(story) | _directed(direction)
        values |= {**at_device(moved), "size": length.cast(U64)}
        self._invoke(function, values, self._resume(story))
        return self._steps(tuple(self._machine.events), "copy")

    def release(self, placed: Placed) -> Release:
        """What the path's unmap function gives back, in every direction the same."""
        self._story(placed, BIDIRECTIONAL)
        if self._releases is None:
            each = [self._release(placed, index) for index in IN_C]
            self._releases = reduce(Release.alike, each)
        return self._releases

    def _unmap(self, placed: Placed, story: Story, direction: int) -> State:
        """The state after the path's unmap function; the machine has what happened."""
        function = self._function(UNMAPS[self._cell.path])
        values = self._again(story) | _directed(direction)
        handle = self._handle(story)
        values |= {**at_device(handle), "page": story.result}
        values["size"] = placed.request.size.cast(U64)
        state = self._resume(story)
        self._invoke(function, values, state)
        return state

    def whole_copies(self, placed: Placed, direction: Word) -> tuple[Copy, ...]:
        """What mapping and unmapping copy in ``direction``."""
        copies: list[Copy] = []
        nothing = Word(0, SIZE_T)
        for index in IN_C:
            here = direction.eq(index)
            story = self._story(placed, index)
            if here.raw is False or not self._made(story):
                continue
            for step in self._steps(story.events, "copy"):
                size = ite(here & step.condition, step.size.cast(SIZE_T), nothing)
                copies.append(Copy(step.other, step.to, size))
            self._unmap(placed, story, index)
            for step in self._steps(tuple(self._machine.events), "copy"):
                size = ite(here & step.condition, step.size.cast(SIZE_T), nothing)
                copies.append(Copy(step.to, step.other, size))
        return tuple(copies)

    def copied_back(self, placed: Placed, direction: Word) -> Truth:
        """Whether one copy of unmapping has all of the mapping, where the device may
        have written."""
        copied, mapping = direction.eq(TO_DEVICE), placed.mapping
        for index in (FROM_DEVICE, BIDIRECTIONAL):
            here = direction.eq(index)
            story = self._story(placed, index)
            if here.raw is False:
                continue
            if not self._made(story):
                copied = copied | here
                continue
            self._unmap(placed, story, index)
            for step in self._steps(tuple(self._machine.events), "copy"):
                whole = step.to.eq(mapping.orig_addr) & step.other.eq(placed.tlb_addr)
                whole = whole & step.size.eq(mapping.size)
                copied = copied | (here & step.condition & whole)
        return copied

    def _release(self, placed: Placed, direction: int) -> Release:
        story = self._story(placed, direction)
        if not self._made(story):
            return Release(placed.slot, placed.mapping.nslots)
        before = len(story.record.of(self._machine.list_key))
        state = self._unmap(placed, story, direction)
        freed = self._one_span(self._machine.record, before, "frees slots")
        first = freed.first.cast(UNSIGNED_INT)
        slots = (freed.last - freed.first + 1).cast(UNSIGNED_INT)
        return Release(first, slots, freed.condition & self._used_as_before(state))

    def _used_as_before(self, state: State) -> Truth:
        """Whether area->used is what it was before the mapping."""
        machine = self._machine
        if "io_tlb_used" in self._program.globals:
            at, kind = machine.global_place(c.Name(0, "io_tlb_used"), state)
            used = machine.load(state, at, kind, c.Empty(0))
            return machine.as_word(used, c.Empty(0)).cast(U64).eq(machine.used)
        if "io_tlb_area" not in self._program.structs:
            used = machine.peek(state, machine.pool, machine.pool_tag, "used")
            return machine.as_word(used, c.Empty(0)).cast(U64).eq(machine.used)
        area = machine.areas[0], "used"
        if area not in machine.record.stated:
            return TRUE
        return machine.record.value(area, Word(0, U64)).cast(U64).eq(machine.used)

    # Step by step.

    @property
    def machine(self) -> LiveMachine:
        """What the life is evaluated on."""
        return self._machine

    def steps(
        self,
        placed: Placed,
        offset: Word,
        length: Word,
        near: SourceLife | None = None,
    ) -> Iterator[Stage]:
        """The mapping in each direction, a sync of ``length`` bytes from ``offset`` on,
        and the end.

        With ``near`` the mapping, once made, is taken to be what it is there.
        """
        path = self._cell.path
        for direction in IN_C:
            story = self._story(placed, direction)
            yield Stage("a mapping", story.record, story.events, story.result)
            if near is not None:
                self._take_over(direction, near._story(placed, direction))
            for whom in ("device", "cpu") if path in SYNCS else ():
                self._sync(placed, direction, offset, length, whom)
                yield self._stage("a sync", direction, (direction, whom))
            if path in UNMAPS and self._made(self._story(placed, direction)):
                self._unmap(placed, self._story(placed, direction), direction)
                yield self._stage("the end", direction)

    def _stage(self, what: str, direction: int, sync: Sync | None = None) -> Stage:
        """What was just done to the mapping that was made in ``direction``."""
        made, machine = self._stories[direction].record, self._machine
        before = {key: len(writes) for key, writes in made.writes.items()}
        events = tuple(machine.events)
        return Stage(what, machine.record, events, NOTHING, before, sync)

    def _take_over(self, direction: int, story: Story) -> None:
        """Go on with what ``story`` left in its slots, not in its area."""
        ours, areas = self._stories[direction], self._machine.areas[0]
        record = taken_over(ours.record, story.record, areas)
        self._stories[direction] = replace(story, state=ours.state, record=record)

    # Running on.

    def _function(self, names: tuple[str, ...]) -> c.Function:
        for name in names:
            function = self._program.function(name)
            if function is not None:
                return function
        raise NotUnderstood(_FILE, 0, names[-1], f"a definition of {names[-1]}()")

    def _resume(self, story: Story) -> State:
        """The pool as the mapping left it; the device's address is translated back."""
        machine = self._machine
        machine.record = story.record.copy()
        machine.events.clear()
        maps = self._steps(story.events, "iommu_map")

        def translate(state: State, arguments: list[Value], node: c.Call) -> Value:
            if len(arguments) != 2:
                raise machine.fail(node, "2 arguments")
            handle = machine.as_word(arguments[1], node)
            return maps[-1].to + (handle - maps[-1].other)

        if maps:
            machine.hooks["iommu_iova_to_phys"] = translate
            machine.hooks["__iommu_dma_unmap"] = lambda state, a, n: NOTHING
        return story.state.fork(TRUE)

    def _made(self, story: Story) -> bool:
        """Whether the device gets the mapping at all: what the IOMMU is never told to
        map has no end."""
        maps = self._steps(story.events, "iommu_map")
        return bool(maps) or not self._cell.path.has_granule

    def _again(self, story: Story) -> dict[str, Value]:
        return {**self._machine.common(), "target": Word(0, U32)}

    def _handle(self, story: Story) -> Word:
        if isinstance(story.result, Word):
            return story.result.cast(U64)
        return Word(0, U64)


def _directed(direction: int) -> dict[str, Value]:
    word = Word(IN_C[direction], U32)
    return {"dir": word, "direction": word}


def _bytes(placed: Placed, write: Write) -> Range:
    """The bytes of the slots that a write covers."""
    shift = placed.pool.geometry.shift
    first, end = (word.cast(U64) << shift for word in (write.first, write.last))
    start = placed.pool.start
    return start + first, start + end + (1 << shift)
