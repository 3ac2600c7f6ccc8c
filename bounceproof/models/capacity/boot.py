# SPDX-License-Identifier: GPL-2.0-only
"""The pool that a command line and a machine give.

Sources: setup_io_tlb_npages(), swiotlb_adjust_nareas(), round_up_default_nslabs(),
limit_nareas() and swiotlb_init_remap() in kernel/dma/swiotlb.c, v6.0 on; before, one
area and no rounding to a power of two.  The size that guests with encrypted memory
take: sev_setup_arch() and mem_encrypt_setup_arch(), arch/x86/mm, v5.11 on.
"""

from __future__ import annotations

from dataclasses import dataclass

from bounceproof.models.constants import (
    DEFAULT_POOL_BYTES,
    IO_TLB_DEFAULT_SLABS,
    IO_TLB_SEGSIZE,
    IO_TLB_SHIFT,
)

LARGEST_POOL_SLABS = 1 << 20
"""2 GiB: the pool is taken from memory below 4 GiB, of which much is taken."""
GUEST_PERCENT, GUEST_LEAST, GUEST_MOST = 6, DEFAULT_POOL_BYTES, 1 << 30


def power_above(value: int) -> int:
    """The least power of two that is not below ``value``."""
    return 1 << max(value - 1, 0).bit_length()


def whole_sets(nslabs: int, segsize: int = IO_TLB_SEGSIZE) -> int:
    """``nslabs`` rounded up to slot sets."""
    return -(-nslabs // segsize) * segsize


@dataclass(frozen=True, slots=True)
class BootPool:
    """``nslabs`` slots in ``nareas`` areas."""

    nslabs: int
    nareas: int

    @property
    def bytes(self) -> int:
        """How large it is."""
        return self.nslabs << IO_TLB_SHIFT

    @property
    def sets(self) -> int:
        """Slot sets in it."""
        return self.nslabs // IO_TLB_SEGSIZE


def boot_pool(
    nslabs: int | None, nareas: int | None, cpus: int, single: bool
) -> BootPool:
    """What ``swiotlb=nslabs,nareas`` gives on ``cpus`` possible CPUs.

    None where the parameter leaves a number out.  ``single``: the kernel knows no
    areas.
    """
    slots = IO_TLB_DEFAULT_SLABS if nslabs is None else whole_sets(nslabs)
    slots = slots or IO_TLB_DEFAULT_SLABS
    if single:
        return BootPool(slots, 1)
    areas = power_above(cpus if nareas is None else max(nareas, 1))
    return BootPool(power_above(max(slots, areas * IO_TLB_SEGSIZE)), areas)


def guest_bytes(memory: int) -> int:
    """Bytes that a guest of ``memory`` bytes asks for if its memory is encrypted."""
    wanted = memory * GUEST_PERCENT // 100
    return min(max(wanted, GUEST_LEAST), GUEST_MOST)


def guest_pool(memory: int, cpus: int, single: bool) -> BootPool:
    """The pool of such a guest without ``swiotlb=`` on its command line."""
    slots = -(-guest_bytes(memory) // (1 << IO_TLB_SHIFT))
    return boot_pool(slots, None, cpus, single)
