# SPDX-License-Identifier: GPL-2.0-only
"""The bytes of a mapping: what swiotlb copies and dma-iommu zeroes.

Sources: swiotlb_bounce(), swiotlb_tbl_map_single(), swiotlb_tbl_unmap_single() and the
sync functions of kernel/dma/swiotlb.c; iommu_dma_map_page() (iommu_dma_map_phys() from
v6.18) of drivers/iommu/dma-iommu.c; v5.10 to v7.3.  64-bit kernels: no highmem.
"""

from __future__ import annotations

from typing import Final, Protocol

from bounceproof.models.constants import IO_TLB_SIZE
from bounceproof.models.kernels.state import (
    BounceCheck,
    KernelState,
    MapCopy,
    PadSlots,
    Zeroing,
)
from bounceproof.simulator import engine as e
from bounceproof.simulator.compile import signed64, unsigned64
from bounceproof.simulator.history import slots as hs
from bounceproof.simulator.history.memory import OriginalMemory
from bounceproof.simulator.history.types import FOR_CPU, WORD_MAX, Mapping

LOW: Final = IO_TLB_SIZE - 1
INVALID: Final = WORD_MAX


class Report(Protocol):
    """Hears that a property is broken: its name, how, and the addresses at fault, each
    run of them from first to end."""

    def __call__(self, prop: str, text: str, *spans: tuple[int, int]) -> None: ...


def outside(
    inner: tuple[int, int], outer: tuple[int, int]
) -> tuple[tuple[int, int], ...]:
    """The addresses of ``inner`` that are not in ``outer``, each from first to end."""
    before = inner[0], min(inner[1], outer[0])
    after = max(inner[0], outer[1]), inner[1]
    return tuple(span for span in (before, after) if span[0] < span[1])


def iommu_range(tlb_addr: int, size: int, granule: int) -> tuple[int, int]:
    """Addresses that the IOMMU maps for ``size`` bytes at ``tlb_addr``.

    Source: __iommu_dma_map(), drivers/iommu/dma-iommu.c.
    """
    low = tlb_addr & ~(granule - 1)
    return low, low + ((size + tlb_addr - low + granule - 1) & ~(granule - 1))


class Bouncer:
    """Copies and zeroes bytes, and reports what lies outside a mapping.

    ``warning`` says what the kernel would have warned of in the last operation.
    """

    def __init__(
        self, state: KernelState, memory: OriginalMemory, report: Report
    ) -> None:
        self.state = state
        self.memory = memory
        self.report = report
        self.warning: str | None = None

    def at_map(self, mapping: Mapping) -> None:
        """Copy the original in, where the state does so for this direction."""
        m = mapping
        if self.state.map_copy is MapCopy.DEVICE_READS and not m.device_reads:
            return
        if self.state.bounce_check is BounceCheck.NONE:
            self._copy(m, m.orig_addr, m.tlb_addr, m.size, True)
        else:
            self._bounce(m, m.tlb_addr, m.size, True)

    def at_unmap(self, mapping: Mapping) -> None:
        """Copy back what the device may have written.  Raises KernelStoppedError."""
        m = mapping
        if not m.device_writes:
            return
        if self.state.bounce_check is not BounceCheck.NONE:
            self._bounce(m, m.tlb_addr, m.size, False)
            return
        pool = m.home
        first = pool.first_slot(m.tlb_addr, m.min_align_mask)
        orig = unsigned64(pool.orig[first])
        if orig != INVALID:
            self._copy(m, orig, m.tlb_addr, m.size, False)

    def at_sync(self, mapping: Mapping, addr: int, size: int, direction: str) -> None:
        """Sync ``size`` bytes at pool address ``addr``; ``direction`` of the sync."""
        for_cpu = direction == FOR_CPU
        if not (mapping.device_writes if for_cpu else mapping.device_reads):
            return
        if self.state.bounce_check is not BounceCheck.NONE:
            self._bounce(mapping, addr, size, not for_cpu)
            return
        pool = mapping.home
        orig = unsigned64(pool.orig[pool.slot_of(addr)])
        if orig != INVALID:
            offset = orig & mapping.min_align_mask & LOW
            orig = (orig + (addr & LOW) - offset) & WORD_MAX
            self._copy(mapping, orig, addr, size, not for_cpu)

    def _bounce(self, mapping: Mapping, addr: int, size: int, inward: bool) -> None:
        pool = mapping.home
        index = pool.slot_of(addr)
        orig = unsigned64(pool.orig[index])
        left = unsigned64(pool.alloc_size[index])
        if orig == INVALID:
            return
        offset = (addr & LOW) - (orig & mapping.min_align_mask & LOW)
        if self.state.bounce_check is BounceCheck.UNSIGNED:
            if offset < 0:
                self.warning = "an address before the mapping: nothing is copied"
                return
            if offset > left:
                self.warning = "an offset beyond the mapping: nothing is copied"
                return
        orig = (orig + offset) & WORD_MAX
        left = (left - offset) & WORD_MAX
        if size > left:
            self.warning = f"{size} bytes where {left} are left: {left} are copied"
            size = left
        self._copy(mapping, orig, addr, size, inward)

    def _copy(
        self, mapping: Mapping, orig: int, addr: int, size: int, inward: bool
    ) -> None:
        m = mapping
        if size and not (m.orig_addr <= orig and orig + size <= m.orig_addr + m.size):
            self.report(
                "inbounds",
                f"a copy of {size} bytes touches {orig:#x}, outside the buffer of "
                f"{m.size} bytes at {m.orig_addr:#x}",
            )
        self._inside(m, addr, addr + size, "a copy")
        if inward:
            m.home.memory.write(addr, self.memory.read(orig, size))
        else:
            self.memory.write(orig, m.home.memory.view(addr, addr + size))

    def _inside(self, mapping: Mapping, low: int, high: int, what: str) -> None:
        first, end = mapping.held
        pool = mapping.home
        end = min(end, pool.slot_addr(pool.config.nslabs))
        if low < high and not (first <= low and high <= end):
            self.report(
                "inbounds",
                f"{what} touches pool addresses {low:#x} to {high:#x}, the mapping's "
                f"slots are {first:#x} to {end:#x}",
                *outside((low, high), (first, end)),
            )

    def zero(self, mapping: Mapping) -> None:
        """What dma-iommu zeroes after mapping, for an untrusted device."""
        m, g = mapping, mapping.home.config.granule - 1
        ranges: list[tuple[int, int]] = []
        if self.state.zeroing is Zeroing.ROUNDED_SIZE:
            start = m.end if m.device_reads else m.tlb_addr
            ranges = [(start, m.tlb_addr + ((m.size + g) & ~g))]
        elif self.state.zeroing is Zeroing.PADDING_UNTRUSTED:
            ranges = [(m.tlb_addr & ~g, m.tlb_addr), (m.end, (m.end + g) & ~g)]
        for low, high in ranges:
            self._inside(m, low, high, "zeroing")
            m.home.memory.view(low, high)[:] = 0

    def record(self, mapping: Mapping, padding: int) -> None:
        """orig_addr and pad_slots of a new allocation.

        Source: swiotlb_tbl_map_single(), after the search.
        """
        pool = mapping.home
        pad = padding // IO_TLB_SIZE
        if self.state.pad_slots is PadSlots.NONE:
            pad = 0
        first = mapping.slot + pad
        at = first
        if self.state.pad_slots is PadSlots.UNINITIALISED:
            at = pool.config.uninitialised
        if self.state.pad_slots is not PadSlots.NONE:
            if at < pool.config.slots_held:
                pool.pad[at] = pad
            if at >= pool.config.nslabs:
                self.report("inbounds", f"pad_slots goes to slots[{at}], off the pool")
        count = int(e.nr_slots(signed64(mapping.total))) - pad
        hs.record_orig_addr(pool.orig, first, count, signed64(mapping.orig_addr))
