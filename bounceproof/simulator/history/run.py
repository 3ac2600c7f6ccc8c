# SPDX-License-Identifier: GPL-2.0-only
"""A machine on which a history of map, sync and unmap runs, with real bytes."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from bounceproof.models.kernels.state import AllocPageCheck, KernelState, Rounding
from bounceproof.models.outcome import Outcome
from bounceproof.simulator import codes as c
from bounceproof.simulator import engine as e
from bounceproof.simulator.compile import signed64, unsigned64
from bounceproof.simulator.history import checks as check
from bounceproof.simulator.history.bytes import Bouncer, iommu_range
from bounceproof.simulator.history.memory import Bytes, OriginalMemory
from bounceproof.simulator.history.pool import KernelStoppedError, LivePool, Request
from bounceproof.simulator.history.transient import TransientPools
from bounceproof.simulator.history.types import (
    FOR_DEVICE,
    MAX_TRANSFER,
    HistoryError,
    MachineConfig,
    Mapping,
    Operation,
    Record,
    check_path,
    check_state,
    read_operation,
)

_PATH_CODES: Final = {"direct": c.DIRECT, "iommu": c.IOMMU, "alloc": c.ALLOC}
_NO_BYTES: Final[Bytes] = np.zeros(0, dtype=np.uint8)
_RAMP: Final[Bytes] = np.arange(256, dtype=np.uint8)


def _outcome(ok: bool, **fields: Any) -> Record:
    return Outcome(ok, bounced=True).fields() | fields


def _bytes(value: int, length: int) -> Bytes:
    """``length`` bytes that count up from ``value``."""
    start = np.roll(_RAMP, -(value & 0xFF))
    return np.resize(start, length) if length else _NO_BYTES


class Machine:
    """One pool, its device and IOMMU under one kernel state.

    Where the pool can grow, a mapping that finds no room in it gets a transient pool.

    :meth:`run` takes one operation and returns what came of it.  ``live`` are the
    live mappings by name, ``broken`` the properties that the last operation showed
    broken, ``stopped`` why the kernel can do no more, if it cannot.
    """

    def __init__(self, state: KernelState, config: MachineConfig) -> None:
        check_state(state, config)
        self.state = state
        self.config = config
        self.pool = LivePool(state, config)
        self.memory = OriginalMemory()
        self.transient = TransientPools(state, config)
        self.bytes = Bouncer(state, self.memory, self._report)
        self.live: dict[str | int, Mapping] = {}
        self.broken: list[dict[str, Any]] = []
        self.stopped: str | None = None
        self.fault = self.pool.invariant()
        self._names: set[str | int] = set()
        self._count = 0

    def _report(self, prop: str, text: str, *spans: tuple[int, int]) -> None:
        where = {"spans": [list(span) for span in spans]} if spans else {}
        self.broken.append({"property": prop, "text": text, **where})

    def run(self, operation: Operation) -> Record:
        """Run one operation: ``op``, ``mapping``, ``outcome`` (of a map: the JSON
        contract's outcome fields; null where it was skipped), ``broken``, ``invariant``
        (what list[] and used say that they cannot, or null).  Raises HistoryError.
        """
        op = read_operation(operation)
        self.broken, self.bytes.warning = [], None
        name = self._name(op)
        if self.stopped is not None:
            outcome: Record | None = None
        elif op["op"] == "map":
            outcome = self._guarded(self._map, op, name)
        elif name in self.live:
            outcome = self._guarded(getattr(self, f"_{op['op']}"), op, name)
        else:
            outcome = None
        if op["op"] in ("map", "unmap"):
            self.fault = self.pool.invariant()
        self._count += 1
        return {
            "op": op["op"],
            "mapping": name,
            "outcome": outcome,
            "broken": self.broken,
            "invariant": self.fault,
        }

    def _name(self, op: Operation) -> str | int:
        name: str | int | None = op["mapping"]
        if op["op"] == "map":
            name = self._count if name is None else name
            if name in self.live:
                raise HistoryError(f"mapping '{name}' is live already")
            self._names.add(name)
        elif name not in self._names:
            raise HistoryError(f"mapping '{name}' was never mapped")
        assert name is not None
        return name

    def _guarded(self, step: Any, op: Operation, name: str | int) -> Record:
        try:
            return step(op, name)  # type: ignore[no-any-return]
        except KernelStoppedError as stop:
            self.stopped = str(stop)
            self._report("returned", self.stopped)
            self.live.pop(name, None)
            return {"ok": False, "stopped": self.stopped}

    def _map(self, op: Operation, name: str | int) -> Record:
        check_path(self.state, op["path"])
        m = op["min_align_mask"]
        m = self.config.min_align_mask if m is None else m
        alloc = op["path"] == "alloc"
        pa = 0 if alloc else op["orig_addr"]
        bounced, refused, given, padding, total, printed = e.prologue(
            self.pool.codes,
            self.config.page_size,
            _PATH_CODES[op["path"]],
            self.config.granule,
            m,
            signed64(pa),
            signed64(op["size"]),
        )
        if not bounced:
            return self._map_in_place(op, name, m, bool(refused))
        request = Request(m, int(given), pa, unsigned64(total))
        pool, slot, area = self._find(request, op["cpu"], not alloc)
        if slot < 0:
            return self._not_found(request, slot, None if alloc else int(printed), pool)
        mapping = self._mapping(op, name, request, pool, slot, area, int(padding))
        if alloc:
            return self._allocated(mapping, request)
        return self._bounced(mapping, request, int(padding), bool(refused))

    def _find(
        self, request: Request, cpu: int, grows: bool
    ) -> tuple[LivePool, int, int]:
        """The pool that was searched last, the slot or what came of it, the area."""
        slot, area = self.pool.find(request, cpu)
        if slot != e.NOT_FOUND or not grows:
            return self.pool, slot, area
        made, slot = self.transient.find(request)
        return (self.pool, slot, -1) if made is None else (made, slot, 0)

    def _map_in_place(
        self, op: Operation, name: str | int, m: int, refused: bool
    ) -> Record:
        if not refused:
            pa, size = op["orig_addr"], op["size"]
            mapping = Mapping(
                name,
                op["path"],
                op["direction"],
                pa,
                size,
                m,
                pa,
                -1,
                0,
                -1,
                0,
                0,
                (0, 0),
                (pa, pa + size),
                _NO_BYTES,
                True,
            )
            self._add(mapping)
        return _outcome(not refused, bounced=False)

    def _not_found(
        self, request: Request, slot: int, printed: int | None, made: LivePool
    ) -> Record:
        n = request.nslots
        if slot == e.NO_END:
            self._report("halts", "the search does not end")
            self.stopped = "the search does not end"
            return _outcome(False, nslots=n, sz=printed, hang=True)
        for pool in dict.fromkeys((self.pool, made)):
            missed = pool.overlooked(request)
            if missed < 0:
                continue
            self._report(
                "finds", f"slot {missed} starts {n} free slots that the rule accepts"
            )
        sz = None if printed is None else unsigned64(printed)
        return _outcome(False, nslots=n, sz=sz)

    def _mapping(
        self,
        op: Operation,
        name: str | int,
        request: Request,
        pool: LivePool,
        slot: int,
        area: int,
        padding: int,
    ) -> Mapping:
        n = pool.take(request, slot, area)
        size, g = op["size"], self.config.granule
        first, end = pool.slot_addr(slot), pool.slot_addr(slot + n)
        tlb = first + padding
        reach, rounded = (tlb, tlb + size), size
        if op["path"] == "iommu":
            reach = iommu_range(tlb, size, g)
            if self.state.rounding is Rounding.CALLER:
                rounded = (size + g - 1) & ~(g - 1)
        if op["path"] == "alloc":
            tlb &= ~(self.config.page_size - 1)
            first, end = min(first, tlb), max(end, tlb + size)
            reach = (tlb, tlb + size)
        return Mapping(
            name,
            op["path"],
            op["direction"],
            request.orig_addr,
            size,
            request.min_align_mask,
            tlb,
            slot,
            n,
            area,
            request.total,
            rounded,
            (first, end),
            reach,
            _NO_BYTES,
            pool=pool,
            transient=pool is not self.pool,
        )

    def _placed(self, mapping: Mapping, tlb_addr: int) -> Record:
        placed = _outcome(
            True, slot=mapping.slot, nslots=mapping.nslots, tlb_addr=tlb_addr
        )
        if mapping.transient:
            placed["pool_start"] = mapping.home.config.pool_start
        return placed

    def _allocated(self, mapping: Mapping, request: Request) -> Record:
        """The rest of swiotlb_alloc()."""
        start = self.pool.slot_addr(mapping.slot)
        page = self.config.page_size
        if self.state.alloc_page_check is AllocPageCheck.FAIL and start % page:
            self._release(mapping, start)
            return _outcome(False, nslots=mapping.nslots)
        mapping.ideal = self.pool.memory.view(mapping.tlb_addr, mapping.end).copy()
        self._check_placement(mapping, request)
        self._add(mapping)
        return self._placed(mapping, start)

    def _bounced(
        self, mapping: Mapping, request: Request, padding: int, refused: bool
    ) -> Record:
        """The rest of swiotlb_tbl_map_single() and of its caller."""
        mapping.ideal = self.memory.read(mapping.orig_addr, mapping.size)
        self._mark_shared(mapping)
        self.bytes.record(mapping, padding)
        self.bytes.at_map(mapping)
        if mapping.path == "iommu":
            self.bytes.zero(mapping)
        if refused:
            self.bytes.at_unmap(mapping)
            check.cpu_sees(self._report, self.memory, mapping, 0, mapping.size)
            self._release(mapping, mapping.tlb_addr)
            return _outcome(False, nslots=mapping.nslots)
        self._check_placement(mapping, request)
        if mapping.path == "iommu":
            check.padding_clean(self._report, mapping.home, mapping)
        if mapping.device_reads:
            check.device_sees(self._report, mapping.home, mapping, 0, mapping.size)
        self._add(mapping)
        return self._placed(mapping, mapping.tlb_addr)

    def _check_placement(self, mapping: Mapping, request: Request) -> None:
        check.in_pool(self._report, mapping.home, mapping)
        check.aligned(self._report, mapping.home, mapping, request.given)
        check.owned(self._report, mapping.home, mapping)
        check.exclusive(self._report, mapping, self.live.values())

    def _mark_shared(self, mapping: Mapping) -> None:
        low, high = mapping.orig_addr, mapping.orig_addr + mapping.size
        for other in self.live.values():
            if other.path == "alloc":
                continue
            if low < other.orig_addr + other.size and other.orig_addr < high:
                other.shared = mapping.shared = True

    def _add(self, mapping: Mapping) -> None:
        if not mapping.bounced:
            self._mark_shared(mapping)
        self.live[mapping.name] = mapping

    def _release(self, mapping: Mapping, tlb_addr: int) -> int:
        if mapping.transient:
            check.returned_whole(self._report, mapping.home, mapping)
            return self.transient.drop(mapping.home)
        before, used = self.pool.lst.copy(), list(self.pool.used)
        sound = self.fault is None
        freed = self.pool.release(tlb_addr, mapping.min_align_mask, mapping.alloc_size)
        check.returned(self._report, self.pool, mapping, before, used, sound)
        return freed

    def _unmap(self, op: Operation, name: str | int) -> Record:
        mapping = self.live[name]
        freed = 0
        if mapping.bounced:
            if mapping.path != "alloc":
                self.bytes.at_unmap(mapping)
                if mapping.device_writes:
                    check.cpu_sees(self._report, self.memory, mapping, 0, mapping.size)
            freed = self._release(mapping, mapping.tlb_addr)
        del self.live[name]
        return {"ok": True, "freed": freed, "warning": self.bytes.warning}

    def _range(self, op: Operation, mapping: Mapping) -> tuple[int, int]:
        """Offset and length of an operation inside the buffer; raises HistoryError."""
        offset, length = op["offset"], op["length"]
        if length is None:
            length = max(mapping.size - offset, 0)
        if offset < 0 or offset + length > mapping.size:
            raise HistoryError(
                f"{op['op']} of {length} bytes at offset {offset} is not inside "
                f"mapping '{mapping.name}' of {mapping.size} bytes"
            )
        return offset, length

    def _sync(self, op: Operation, name: str | int) -> Record:
        mapping = self.live[name]
        offset, length = self._range(op, mapping)
        if mapping.bounced and mapping.path != "alloc" and length:
            addr = mapping.tlb_addr + offset
            self.bytes.at_sync(mapping, addr, length, op["direction"])
            self._check_sync(mapping, offset, length, op["direction"])
        return {"ok": True, "warning": self.bytes.warning}

    def _check_sync(
        self, mapping: Mapping, offset: int, length: int, direction: str
    ) -> None:
        if direction == FOR_DEVICE:
            if mapping.device_reads:
                now = self.memory.read(mapping.orig_addr + offset, length)
                mapping.ideal[offset : offset + length] = now
                check.device_sees(self._report, mapping.home, mapping, offset, length)
        elif mapping.device_writes:
            check.cpu_sees(self._report, self.memory, mapping, offset, length)

    def _device_range(self, op: Operation, mapping: Mapping) -> tuple[int, int] | None:
        """Offset and length of a device's access, None where the IOMMU stops it."""
        offset, length = op["offset"], op["length"]
        if length is None:
            length = max(mapping.size - offset, 0)
        if length > MAX_TRANSFER:
            raise HistoryError(f"length is above 1 MiB: {length}")
        low = mapping.tlb_addr + offset
        if low < mapping.reach[0] or low + length > mapping.reach[1]:
            return None
        return offset, length

    def _device_write(self, op: Operation, name: str | int) -> Record:
        mapping = self.live[name]
        access = self._device_range(op, mapping)
        if access is None or not mapping.device_writes:
            return {"ok": False}
        offset, length = access
        data = _bytes(op["value"], length)
        if not mapping.bounced:
            self.memory.write(mapping.orig_addr + offset, data)
            return {"ok": True}
        mapping.home.memory.write(mapping.tlb_addr + offset, data)
        skip = max(-offset, 0)
        inside = data[skip : max(mapping.size - offset, 0)]
        at = max(offset, 0)
        mapping.ideal[at : at + len(inside)] = inside
        return {"ok": True}

    def _device_read(self, op: Operation, name: str | int) -> Record:
        mapping = self.live[name]
        access = self._device_range(op, mapping)
        if access is None or not mapping.device_reads:
            return {"ok": False}
        offset, length = access
        if mapping.bounced:
            first, last = max(offset, 0), min(offset + length, mapping.size)
            if first < last:
                pool, length = mapping.home, last - first
                check.device_sees(self._report, pool, mapping, first, length)
        return {"ok": True}

    def _cpu_write(self, op: Operation, name: str | int) -> Record:
        mapping = self.live[name]
        offset, length = self._range(op, mapping)
        if length > MAX_TRANSFER:
            raise HistoryError(f"length is above 1 MiB: {length}")
        data = _bytes(op["value"], length)
        if mapping.path == "alloc":
            self.pool.memory.write(mapping.tlb_addr + offset, data)
            mapping.ideal[offset : offset + length] = data
        else:
            self.memory.write(mapping.orig_addr + offset, data)
        return {"ok": True}


def run_history(
    state: KernelState, machine_config: dict[str, Any], ops: list[Operation]
) -> list[Record]:
    """Run ``ops`` in order on a new machine; JSON in, JSON out.

    Each record is :meth:`Machine.run`'s, and ``live``, the live mappings after it.
    ``machine_config`` has the fields of MachineConfig, each with a default.  Raises
    HistoryError, which names the operation by number.
    """
    machine = Machine(state, MachineConfig.of(machine_config))
    records = []
    for number, op in enumerate(ops):
        try:
            record = machine.run(op)
        except HistoryError as error:
            raise HistoryError(f"op {number}: {error}") from None
        record["live"] = [mapping.fields() for mapping in machine.live.values()]
        records.append(record)
    return records
