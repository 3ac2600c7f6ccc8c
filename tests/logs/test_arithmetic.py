# SPDX-License-Identifier: GPL-2.0-only
"""Sizes, fits and the bound on used slots, each against the simulator."""

from __future__ import annotations

import random

import numpy as np
import pytest

from bounceproof.logs.judge.fit import fewest_used, fit_requests, rules
from bounceproof.logs.judge.printing import HIGH, map_requests, printing_requests
from bounceproof.logs.judge.profile import profile_of
from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.catalog import kernel_state
from bounceproof.models.constants import IO_TLB_SEGSIZE, NO_SEG_BOUNDARY
from bounceproof.models.request import Cell, Path
from bounceproof.simulator import codes as c
from bounceproof.simulator import engine as e
from bounceproof.simulator.batch import empty_list
from bounceproof.simulator.single import SingleRequest, simulate

KERNELS = [
    "v6.1.192",
    "v6.2.12",
    "v6.6",
    "v6.6.24",
    "v6.9",
    "v6.12",
    "v6.6+will-v3",
    "v6.2.12+yu-loop-counter",
]
CELLS = [
    Cell(4096, 4096, Path.DIRECT, 0xFFF),
    Cell(65536, 65536, Path.DIRECT, 0),
    Cell(4096, 4096, Path.IOMMU, 0xFFF),
    Cell(65536, 65536, Path.IOMMU, 0xFFF),
    Cell(65536, 4096, Path.IOMMU, 0xFFF),
    Cell(16384, 16384, Path.IOMMU, 0),
]
NVME = profile_of("nvme", None)


def _single(
    cell: Cell, address: int, size: int, start: int, slots: int
) -> SingleRequest:
    return SingleRequest(
        cell.page_size,
        cell.path.value,
        cell.granule,
        cell.min_align_mask,
        NO_SEG_BOUNDARY,
        1 << 31,
        slots,
        1,
        start,
        address,
        size,
    )


@pytest.mark.parametrize("cell", CELLS, ids=str)
@pytest.mark.parametrize("kernel", KERNELS)
def test_printing_is_exact(kernel: str, cell: Cell) -> None:
    """Every request the simulator refuses is among those said to print its sz."""
    state = kernel_state(kernel)
    model, rng = BuiltinKernel(state), random.Random(kernel + str(cell))
    limit = min(NVME.max_size(model, cell), 1 << 19)
    asked = [
        _single(
            cell,
            HIGH + rng.randrange(0, 1 << 17, 4),
            rng.randrange(512, limit + 1, 512),
            rng.randrange(512),
            512,
        )
        for _ in range(120)
    ]
    for request, found in zip(asked, simulate(state, asked), strict=True):
        if found.sz is None:
            continue
        said = printing_requests(model, cell, NVME, found.sz, NVME.addr_step)
        at = (request.orig_addr % said.modulus) // NVME.addr_step
        assert said.valid[at]
        assert said.smallest[at] <= request.size <= said.largest[at]


@pytest.mark.parametrize("cell", CELLS, ids=str)
@pytest.mark.parametrize("kernel", KERNELS)
def test_printing_claims_nothing_else(kernel: str, cell: Cell) -> None:
    model = BuiltinKernel(kernel_state(kernel))
    for sz in (65536, 262144, 131072):
        said = printing_requests(model, cell, NVME, sz, NVME.addr_step)
        at = said.residues[said.valid]
        for sizes in (said.smallest[said.valid], said.largest[said.valid]):
            mapping = map_requests(model, cell, at, sizes)
            assert np.all(mapping.printed.raw == sz)
            assert np.all(mapping.bounced.raw)
            assert np.all(sizes % 512 == 0)


@pytest.mark.parametrize("cell", CELLS, ids=str)
@pytest.mark.parametrize("kernel", KERNELS)
def test_fit_against_the_simulator(kernel: str, cell: Cell) -> None:
    state = kernel_state(kernel)
    model, rng = BuiltinKernel(state), random.Random(kernel)
    residues = np.array([rng.randrange(0, 1 << 16, 4) for _ in range(40)], np.uint64)
    sizes = np.array([rng.randrange(512, 262145, 512) for _ in range(40)], np.uint64)
    fit = fit_requests(model, cell, residues, sizes, 512)
    pairs = zip(residues.tolist(), sizes.tolist(), strict=True)
    for i, (residue, size) in enumerate(pairs):
        starts = [rng.randrange(512) for _ in range(8)]
        asked = [_single(cell, HIGH + residue, size, s, 512) for s in starts]
        bounced = [o for o in simulate(state, asked) if o.bounced]
        if fit.every[i]:
            assert all(o.ok for o in bounced)
        if not fit.some[i]:
            assert not any(o.ok for o in bounced)


def _occupied(rng: random.Random, slots: int, used: int) -> np.ndarray:
    """list[] of a pool with ``used`` slots taken, piled up or spread."""
    spread = rng.choice([slots, slots // 2, 64])
    taken = set(rng.sample(range(0, slots, max(1, slots // spread)), min(used, spread)))
    while len(taken) < used:
        taken.add(rng.randrange(slots))
    lst = empty_list(slots)
    for slot in range(slots - 1, -1, -1):
        last = slot % IO_TLB_SEGSIZE == IO_TLB_SEGSIZE - 1
        lst[slot] = 0 if slot in taken else 1 if last else lst[slot + 1] + 1
    return lst


@pytest.mark.parametrize("cell", CELLS, ids=str)
@pytest.mark.parametrize("kernel", KERNELS)
def test_bound_on_used_slots(kernel: str, cell: Cell) -> None:
    """With fewer used slots than the bound, the kernel's own loop finds a place."""
    state = kernel_state(kernel)
    model, rng = BuiltinKernel(state), random.Random(f"{kernel}{cell}")
    slots, tried = 1024, 0
    for _ in range(60):
        residue, size = rng.randrange(0, 1 << 16, 4), rng.randrange(512, 258049, 512)
        one = np.array([residue], np.uint64), np.array([size], np.uint64)
        fit = fit_requests(model, cell, *one, 512)
        if not fit.every[0]:
            continue
        rule = rules(model, cell)[int(fit.large[0])]
        bound = fewest_used(rule, residue, int(fit.nslots[0]), slots, 1)
        used = bound - 1
        if used < 0 or not np.all(map_requests(model, cell, *one).bounced.raw):
            continue
        total = int(np.ravel(map_requests(model, cell, *one).total.raw)[0])
        given = int(model.alloc_align_masks(cell)[0])
        found = e.search_area(
            c.codes(state),
            _occupied(rng, slots, used),
            0,
            slots,
            rng.randrange(slots),
            used,
            cell.page_size,
            cell.min_align_mask,
            given,
            HIGH + residue,
            total,
            1 << 31,
            -1,
        )
        assert found >= 0, (residue, size, used)
        tried += 1
    assert tried or kernel.endswith("will-v3")
