# SPDX-License-Identifier: GPL-2.0-only
"""What a history is made of: the machine, its operations, its live mappings."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from bounceproof.errors import InputError
from bounceproof.models.constants import (
    IO_TLB_SEGSIZE,
    IO_TLB_SHIFT,
    MAX_AREA_SLOTS,
    MAX_MIN_ALIGN_MASK,
    MAX_PHYS_BITS,
    NO_SEG_BOUNDARY,
    PAGE_SIZES,
)
from bounceproof.models.kernels.state import Areas, IommuBounce, KernelState, Pools
from bounceproof.simulator.history.memory import Bytes

if TYPE_CHECKING:
    from bounceproof.simulator.history.pool import LivePool

Operation: TypeAlias = dict[str, Any]
Record: TypeAlias = dict[str, Any]

WORD_MAX: Final = (1 << 64) - 1
BYTE_MAX: Final = 0xFF
MAX_TRANSFER: Final = 1 << 20
MAX_FILLED_SLOTS: Final = 1 << 17
PATHS: Final = ("direct", "iommu", "alloc")
TO_DEVICE, FROM_DEVICE, BIDIRECTIONAL = "to_device", "from_device", "bidirectional"
DIRECTIONS: Final = (TO_DEVICE, FROM_DEVICE, BIDIRECTIONAL)
FOR_CPU, FOR_DEVICE = "for_cpu", "for_device"

REQUIRED: Final = object()
OPERATIONS: Final[dict[str, dict[str, Any]]] = {
    "map": {
        "size": REQUIRED,
        "orig_addr": 0,
        "direction": BIDIRECTIONAL,
        "path": "direct",
        "cpu": 0,
        "mapping": None,
        "min_align_mask": None,
    },
    "sync": {
        "mapping": REQUIRED,
        "direction": REQUIRED,
        "offset": 0,
        "length": None,
    },
    "device_write": {"mapping": REQUIRED, "offset": 0, "length": None, "value": 0},
    "device_read": {"mapping": REQUIRED, "offset": 0, "length": None},
    "cpu_write": {"mapping": REQUIRED, "offset": 0, "length": None, "value": 0},
    "unmap": {"mapping": REQUIRED},
}
_NAMES: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "direction": {"map": DIRECTIONS, "sync": (FOR_CPU, FOR_DEVICE)},
    "path": {"map": PATHS},
}


class HistoryError(InputError):
    """A machine or an operation that no kernel could be given; names the field."""


def _is_mask(value: int) -> bool:
    return value & (value + 1) == 0


@dataclass(frozen=True, slots=True)
class MachineConfig:
    """A pool, its device and IOMMU.  Bytes, slots and masks as in the JSON contract.

    ``start_index``: area->index of every area.  ``fill``: the byte that the pool is
    full of, 0 as the kernel clears it.  ``uninitialised``: the value that a variable
    of the kernel holds which a state uses before it sets it, and list[] behind the
    end of slots[].  ``transient_start``: where the page allocator puts the first
    transient pool, 0 where it makes none.
    """

    page_size: int = 4096
    granule: int = 4096
    min_align_mask: int = 0
    seg_boundary_mask: int = NO_SEG_BOUNDARY
    pool_start: int = 0x8000_0000
    nslabs: int = 512
    nareas: int = 1
    start_index: int = 0
    fill: int = 0
    uninitialised: int = 0
    transient_start: int = 0

    @classmethod
    def of(cls, machine: dict[str, Any]) -> MachineConfig:
        """From JSON; raises HistoryError for an unknown field or a wrong value."""
        known = [f.name for f in fields(cls)]
        for name, value in machine.items():
            if name not in known:
                raise HistoryError(f"machine: unknown field '{name}'")
            if type(value) is not int or not 0 <= value <= WORD_MAX:
                raise HistoryError(f"machine: {name} is no 64-bit number: {value!r}")
        config = cls(**machine)
        config.check()
        return config

    def check(self) -> None:
        """Raises HistoryError where the fields contradict the kernel's own bounds."""
        whole = self.nareas > 0 and self.nslabs >= self.nareas
        end = self.pool_start + (self.nslabs << IO_TLB_SHIFT)
        bad = {
            "page_size": self.page_size not in PAGE_SIZES,
            "granule": self.granule not in PAGE_SIZES or self.granule > self.page_size,
            "min_align_mask": not _is_mask(self.min_align_mask)
            or self.min_align_mask > MAX_MIN_ALIGN_MASK,
            "seg_boundary_mask": not _is_mask(self.seg_boundary_mask),
            "nslabs": not 0 < self.nslabs <= MAX_AREA_SLOTS,
            "nareas": not whole,
            "pool_start": self.pool_start % self.page_size != 0 or end > WORD_MAX,
            "start_index": not whole or self.start_index >= self.area_nslabs,
            "fill": self.fill > (0xFF if self.nslabs <= MAX_FILLED_SLOTS else 0),
            "uninitialised": self.uninitialised > 0xFFFFFFFF,
            "transient_start": self.transient_start % self.page_size != 0
            or self.transient_start >= 1 << MAX_PHYS_BITS,
        }
        for name, wrong in bad.items():
            if wrong:
                raise HistoryError(
                    f"machine: {name} is out of range: {getattr(self, name)}"
                )

    @property
    def area_nslabs(self) -> int:
        return self.nslabs // self.nareas

    @property
    def slots_held(self) -> int:
        """Entries of the arrays: whole slot sets, though the pool may end before."""
        return -(-self.nslabs // IO_TLB_SEGSIZE) * IO_TLB_SEGSIZE


def check_state(state: KernelState, config: MachineConfig) -> None:
    """Raises HistoryError where ``state`` cannot have this machine."""
    if state.areas is Areas.SINGLE and config.nareas != 1:
        raise HistoryError(f"machine: {state.name} has one area, not {config.nareas}")
    most = max(config.nslabs // IO_TLB_SEGSIZE, 1)
    if state.areas is Areas.LIMITED and config.nareas > most:
        raise HistoryError(
            f"machine: nareas: {state.name} divides {config.nslabs} slots into "
            f"{most} at most, not {config.nareas}"
        )
    if state.pools is Pools.STATIC and config.transient_start:
        raise HistoryError(
            f"machine: transient_start: {state.name} has no transient pools"
        )


def check_path(state: KernelState, path: str) -> None:
    """Raises HistoryError where ``state`` does not have ``path``."""
    no_iommu = state.iommu_bounce is IommuBounce.NONE
    if path == "iommu" and no_iommu:
        raise HistoryError(f"path: {state.name} does not bounce in dma-iommu")
    if path == "alloc" and no_iommu and state.areas is Areas.SINGLE:
        raise HistoryError(f"path: {state.name} has no swiotlb_alloc()")


def _check_value(op: str, name: str, value: Any) -> None:
    if name == "mapping":
        if not isinstance(value, str | int) or isinstance(value, bool):
            raise HistoryError("mapping is no name or number")
    elif name in _NAMES:
        if value not in _NAMES[name][op]:
            raise HistoryError(f"{name} is not {' or '.join(_NAMES[name][op])}")
    elif type(value) is not int:
        raise HistoryError(f"{name} is no number: {value!r}")
    elif name == "offset":
        if not -MAX_TRANSFER <= value <= WORD_MAX:
            raise HistoryError(f"offset is out of range: {value}")
    elif not 0 <= value <= (BYTE_MAX if name == "value" else WORD_MAX):
        raise HistoryError(f"{name} is out of range: {value}")


def read_operation(operation: Operation) -> Operation:
    """The operation with its defaults filled in.  Raises HistoryError."""
    if not isinstance(operation, dict):
        raise HistoryError("an operation is an object")
    kind = operation.get("op")
    if not isinstance(kind, str) or kind not in OPERATIONS:
        raise HistoryError(f"op is not one of {', '.join(OPERATIONS)}")
    known = OPERATIONS[kind]
    for name, value in operation.items():
        if name == "op":
            continue
        if name not in known:
            raise HistoryError(f"{kind} has no field '{name}'")
        if value is not None:
            _check_value(kind, name, value)
    full = known | operation
    for name, value in full.items():
        if value is REQUIRED or (value is None and known.get(name) is not None):
            raise HistoryError(f"{kind} needs {name}")
    if kind == "map":
        _check_map(full)
    return full


def complete_history(
    machine: dict[str, Any], ops: list[Operation]
) -> tuple[dict[str, Any], list[Operation]]:
    """A history with its defaults filled in; raises HistoryError, naming the op."""
    full = []
    for number, op in enumerate(ops):
        try:
            full.append(read_operation(op))
        except HistoryError as error:
            raise HistoryError(f"op {number}: {error}") from None
    return asdict(MachineConfig.of(machine)), full


def _check_map(full: Operation) -> None:
    if not 0 < full["size"] <= WORD_MAX - full["orig_addr"]:
        raise HistoryError(f"size is out of range: {full['size']}")
    mask = full["min_align_mask"]
    if mask is not None and not (_is_mask(mask) and mask <= MAX_MIN_ALIGN_MASK):
        raise HistoryError(f"min_align_mask is out of range: {mask}")


@dataclass(slots=True, eq=False)
class Mapping:
    """A live mapping.  Addresses are physical, sizes in bytes.

    ``tlb_addr``: what the caller got, or orig_addr where nothing bounces.  ``slot``,
    ``nslots``: what the search took, ``nslots`` 0 without a bounce.  ``alloc_size``:
    the size the caller hands to release.  ``held``: the addresses of the slots that
    the mapping or its caller uses, from first to end.  ``reach``: the addresses that
    the IOMMU lets the device touch; for dma-direct the buffer itself.  ``ideal``: the
    bytes of the buffer if there were no bounce buffer.  ``shared``: another mapping
    of the same original memory is or was live, so bytes prove nothing.  ``pool``: where
    it is, None where it is in place; ``transient``: whether that was made for it.
    """

    name: str | int
    path: str
    direction: str
    orig_addr: int
    size: int
    min_align_mask: int
    tlb_addr: int
    slot: int
    nslots: int
    area: int
    total: int
    alloc_size: int
    held: tuple[int, int]
    reach: tuple[int, int]
    ideal: Bytes
    shared: bool = False
    pool: LivePool | None = None
    transient: bool = False

    @property
    def bounced(self) -> bool:
        return self.nslots > 0

    @property
    def home(self) -> LivePool:
        """The pool of a mapping that bounces."""
        if self.pool is None:
            raise TypeError(f"mapping {self.name} is in place")
        return self.pool

    @property
    def end(self) -> int:
        return self.tlb_addr + self.size

    @property
    def device_writes(self) -> bool:
        return self.direction != TO_DEVICE

    @property
    def device_reads(self) -> bool:
        return self.direction != FROM_DEVICE

    def fields(self) -> Record:
        """What a report shows of it."""
        where = {"pool_start": self.home.config.pool_start} if self.transient else {}
        return {
            "mapping": self.name,
            "path": self.path,
            "direction": self.direction,
            "orig_addr": self.orig_addr,
            "size": self.size,
            "slot": self.slot if self.bounced else None,
            "nslots": self.nslots if self.bounced else None,
            "tlb_addr": self.tlb_addr if self.bounced else None,
            **where,
        }
