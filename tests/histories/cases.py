# SPDX-License-Identifier: GPL-2.0-only
"""Random machines and random histories, and a fuzzer that runs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any, Final

from bounceproof.models.constants import IO_TLB_SEGSIZE, IO_TLB_SHIFT, IO_TLB_SIZE
from bounceproof.models.kernels.state import Areas, IommuBounce, KernelState
from bounceproof.simulator.history.run import Machine
from bounceproof.simulator.history.types import (
    DIRECTIONS,
    FOR_CPU,
    FOR_DEVICE,
    MachineConfig,
    Operation,
)

MIN_ALIGN_MASKS: Final = (0, 0x1FF, 0x7FF, 0xFFF, 0xFFF, 0x3FFF, 0xFFFF)
SEG_BOUNDARY_MASKS: Final = ((1 << 64) - 1, 0xFFFFFFFF, 0xFFFFFFFF, 0x3FFFF, 0xFFFF)
_WINDOW_BITS: Final = 21
_OPS: Final = ("map", "unmap", "sync", "device_write", "cpu_write", "device_read")
_WEIGHTS: Final = (30, 22, 18, 14, 10, 6)


def paths_of(state: KernelState) -> tuple[str, ...]:
    """The paths that requests can take in ``state``."""
    if state.iommu_bounce is not IommuBounce.NONE:
        return ("direct", "iommu", "alloc")
    return ("direct",) if state.areas is Areas.SINGLE else ("direct", "alloc")


def random_machine(rng: Random, state: KernelState) -> dict[str, int]:
    """A machine that ``state`` can have: whole slot sets, 2^k areas, small pool."""
    page = rng.choice((4096, 4096, 16384, 65536))
    area = IO_TLB_SEGSIZE * rng.choice((1, 1, 2, 3))
    nareas = 1 if state.areas is Areas.SINGLE else rng.choice((1, 2, 4))
    start = rng.randrange(1 << 14, 1 << 19) * page
    if rng.random() < 0.5:
        start &= -(IO_TLB_SEGSIZE << IO_TLB_SHIFT)
    return {
        "page_size": page,
        "granule": rng.choice([g for g in (4096, 16384, 65536) if g <= page]),
        "min_align_mask": rng.choice(MIN_ALIGN_MASKS),
        "seg_boundary_mask": rng.choice(SEG_BOUNDARY_MASKS),
        "pool_start": start,
        "nslabs": area * nareas,
        "nareas": nareas,
        "start_index": rng.choice((0, rng.randrange(area))),
        "fill": rng.choice((0, 0x5A)),
        "uninitialised": rng.choice((0, rng.randrange(area * nareas))),
    }


@dataclass(slots=True)
class _Writer:
    """Writes operations; ``live`` holds the name and size of what may be live."""

    rng: Random
    machine: dict[str, int]
    paths: Sequence[str]
    live: list[tuple[int, int]] = field(default_factory=list)
    count: int = 0

    def _size(self) -> int:
        rng = self.rng
        kind = rng.random()
        if kind < 0.45:
            size = rng.randrange(1, 1 << rng.randrange(1, 15))
        elif kind < 0.85:
            size = rng.randrange(1, 1 << 16)
        else:
            size = rng.randrange(1, (1 << 18) + (1 << 12))
        if rng.random() < 0.3:
            size = -(-size // 512) * 512
        return size

    def _orig_addr(self) -> int:
        rng = self.rng
        offset = rng.randrange(1 << (_WINDOW_BITS - 1))
        if rng.random() < 0.6:
            offset &= -rng.choice((512, IO_TLB_SIZE, 4096, self.machine["granule"]))
        high = rng.randrange(1 << 20) << 40
        return high + ((1 + self.count) << _WINDOW_BITS) + offset

    def map(self) -> Operation:
        rng = self.rng
        path, size = rng.choice(self.paths), self._size()
        op: Operation = {
            "op": "map",
            "mapping": self.count,
            "path": path,
            "size": size,
            "orig_addr": self._orig_addr(),
            "direction": rng.choice(DIRECTIONS),
            "cpu": rng.randrange(self.machine["nareas"]),
        }
        if path == "alloc":
            page = self.machine["page_size"]
            op["size"] = size = -(-min(size, 1 << 17) // page) * page
            op["orig_addr"] = 0
        self.live.append((self.count, size))
        self.count += 1
        return op

    def _part(self, size: int) -> tuple[int, int]:
        rng = self.rng
        if rng.random() < 0.3:
            return 0, size
        offset = rng.randrange(size)
        if rng.random() < 0.5:
            offset = min(offset & -IO_TLB_SIZE | rng.randrange(64), size - 1)
        return offset, rng.randrange(size - offset) + 1

    def next(self) -> Operation:
        rng = self.rng
        kind = rng.choices(_OPS, _WEIGHTS)[0] if self.live else "map"
        if kind == "map":
            return self.map()
        at = rng.randrange(len(self.live))
        name, size = self.live[at]
        if kind == "unmap":
            self.live.pop(at)
            return {"op": kind, "mapping": name}
        offset, length = self._part(size)
        op = {"op": kind, "mapping": name, "offset": offset, "length": length}
        if kind == "sync":
            op["direction"] = rng.choice((FOR_CPU, FOR_DEVICE))
        elif kind != "device_read":
            op["value"] = rng.randrange(256)
        return op


def random_history(
    rng: Random, machine: dict[str, int], paths: Sequence[str], length: int = 100
) -> list[Operation]:
    """``length`` operations for :func:`~bounceproof.simulator.history.run.run_history`.

    No two mappings share original memory, and names are never reused.  Operations on
    mappings that turn out to fail are skipped when the history runs.
    """
    writer = _Writer(rng, machine, paths)
    return [writer.next() for _ in range(length)]


@dataclass(slots=True)
class Fuzzed:
    """What :func:`fuzz` saw.

    ``broken`` counts histories by broken property; ``first`` holds for each the
    seed, the number of the operation and the text; ``unsound`` the histories in which
    list[] or used said what they cannot.
    """

    histories: int = 0
    operations: int = 0
    broken: dict[str, int] = field(default_factory=dict)
    first: dict[str, dict[str, Any]] = field(default_factory=dict)
    unsound: int = 0

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def random_case(
    state: KernelState, seed: int, length: int = 100
) -> tuple[dict[str, int], list[Operation]]:
    """The machine and the history that :func:`fuzz` runs for ``seed``."""
    rng = Random(seed)
    machine = random_machine(rng, state)
    paths = paths_of(state)
    if rng.random() < 0.5:
        paths = (rng.choice(paths),)
    return machine, random_history(rng, machine, paths, length)


def fuzz(state: KernelState, seeds: Sequence[int], length: int = 100) -> Fuzzed:
    """Run one random history a seed under ``state`` and count what breaks."""
    seen = Fuzzed()
    for seed in seeds:
        config, ops = random_case(state, seed, length)
        machine = Machine(state, MachineConfig.of(config))
        _run(machine, ops, seed, seen)
    return seen


def _run(machine: Machine, ops: list[Operation], seed: int, seen: Fuzzed) -> None:
    seen.histories += 1
    shown: set[str] = set()
    for number, op in enumerate(ops):
        machine.run(op)
        seen.operations += 1
        for fault in machine.broken:
            name = fault["property"]
            if name not in shown:
                shown.add(name)
                seen.broken[name] = seen.broken.get(name, 0) + 1
                example = {"seed": seed, "op": number, "text": fault["text"]}
                seen.first.setdefault(name, example)
        if machine.stopped is not None:
            break
    seen.unsound += machine.fault is not None
