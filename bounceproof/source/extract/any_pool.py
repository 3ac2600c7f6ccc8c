# SPDX-License-Identifier: GPL-2.0-only
"""A pool of any place, size and number of areas, stated to a machine."""

from __future__ import annotations

from dataclasses import dataclass

from bounceproof.models.words.word import U64, Word
from bounceproof.source.cparse import syntax as c
from bounceproof.source.eval.memory import Address, State, Value
from bounceproof.source.extract.geometry import slot_geometry
from bounceproof.source.extract.machine import Machine


@dataclass(frozen=True, slots=True)
class AnyPool:
    """A pool: ``start`` phys_addr_t; slots of an area, areas and the CPU that runs
    (unsigned int).  ``direction`` is the mapping's enum dma_data_direction."""

    start: Word
    area_nslabs: Word
    nareas: Word
    cpu: Word
    direction: Word


def has_areas(machine: Machine) -> bool:
    """Whether the tree's pools have areas."""
    return not machine.single and "io_tlb_area" in machine.program.structs


def stated_fields(start: Word, slots: Word, shift: int) -> dict[str, Value]:
    """What a pool of ``slots`` (unsigned long) at ``start`` says of itself."""
    end = start + (slots << shift)
    vaddr = Address(start, c.VoidType())
    return {"start": start, "end": end, "vaddr": vaddr, "nslabs": slots}


def state_pool(machine: Machine, state: State, pool: AnyPool) -> None:
    """Have ``state`` hold ``pool`` in place of the machine's own."""
    slots = pool.area_nslabs.cast(U64)
    if has_areas(machine):
        slots = slots * pool.nareas.cast(U64)
    fields = {
        **stated_fields(pool.start, slots, slot_geometry(machine.program).shift),
        "area_nslabs": pool.area_nslabs,
        "nareas": pool.nareas,
    }
    for name, value in fields.items():
        machine.poke(state, machine.pool, machine.pool_tag, name, value)
        machine.poke_global(state, f"io_tlb_{name}", value)
    machine.poke(state, machine.memory, "io_tlb_mem", "nslabs", slots)
    machine.poke_global(state, "default_nareas", pool.nareas.cast(U64))
