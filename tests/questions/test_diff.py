# SPDX-License-Identifier: GPL-2.0-only
"""``diff``: nothing against itself, the mutation against a mutant, and no request
outside its classes differs in the simulator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.catalog import device, kernel_state
from bounceproof.models.kernels.state import (
    IommuMaxMapping,
    KernelState,
    NvmeAlignMask,
    Padding,
    Rounding,
)
from bounceproof.models.request import Path, Pool, Request
from bounceproof.models.words.word import TRUE, U32, U64, CType, Word
from bounceproof.report import differences as report
from bounceproof.simulator.batch import OUTPUTS, Batch, run_batch
from bounceproof.solver.compare.differ import Differences, differences
from bounceproof.solver.compare.differ_kinds import (
    Fate,
    Kind,
    Number,
    Pair,
    Sender,
    fares,
)
from bounceproof.solver.compare.differ_side import side_of
from bounceproof.solver.contract.domain import Domain, Variables
from bounceproof.solver.contract.properties import Property
from bounceproof.solver.contract.verdict import Verdict
from tests.agreement.draws import Draw, draw

JUDGED = [Property.ALIGNED]
PAIRS = [
    ("v6.6", "v6.10"),
    ("v6.9", "v6.10"),
    ("v6.2.12", "v6.3"),
    ("v6.6.24", "v6.6.35"),
    ("v6.8.1", "v6.9"),
]


def domain(**fields: Any) -> Domain:
    return Domain(
        device("nvme"), page_size=65536, granule=65536, path=Path.IOMMU, **fields
    )


def compared(a: KernelState, b: KernelState, asked: Domain) -> Differences:
    sides = [side_of(BuiltinKernel(state)) for state in (a, b)]
    return differences(sides[0], sides[1], asked, JUDGED)


@pytest.mark.parametrize("name", ["v5.10.223", "v6.6", "v6.12", "v6.6+will-v3"])
def test_a_state_does_not_differ_from_itself(name: str) -> None:
    state = kernel_state(name)
    asked = Domain(device("nvme"), page_size=16384)
    result = compared(state, state, asked)
    assert result.verdict is Verdict.HOLDS
    assert result.classes == () and result.undecided == ()


def both(a: Fate, b: Fate, number: Number | None = None) -> Kind:
    return Kind(Sender.BOTH, a, b, number=number)


MUTANTS = [
    (
        {"rounding": Rounding.CALLER},
        {
            both(Fate.MAPS, Fate.FAILS),
            both(Fate.MAPS, Fate.MAPS, Number.SLOT),
            both(Fate.MAPS, Fate.MAPS, Number.NSLOTS),
        },
    ),
    (
        {"padding": Padding.SLOT},
        {Kind(Sender.BOTH, Fate.MAPS, Fate.MAPS, Property.ALIGNED)},
    ),
    (
        {"iommu_max_mapping": IommuMaxMapping.SWIOTLB_ALIGN_DOWN},
        {
            Kind(Sender.ONLY_A, Fate.MAPS, None),
        },
    ),
    (
        {"nvme_max_kb": 128},
        {Kind(Sender.ONLY_A, f, None) for f in (Fate.MAPS, Fate.IN_PLACE)},
    ),
]


@pytest.mark.parametrize(("change", "kinds"), MUTANTS)
def test_a_mutant_differs_by_the_mutation(
    change: dict[str, Any], kinds: set[Kind]
) -> None:
    state = kernel_state("v6.10")
    result = compared(state, state.with_("mutant", **change), domain())
    found = {c.kind for c in result.classes}
    assert kinds <= found
    assert all(c.smallest.confirmed and c.smallest.minimum for c in result.classes)
    alone = {Sender.ONLY_A, Sender.ONLY_B}
    if "iommu_max_mapping" in change or "nvme_max_kb" in change:
        assert found == kinds
    else:
        assert not any(kind.sender in alone for kind in found)


def test_another_mask_shows_as_a_difference_of_the_drivers() -> None:
    state = kernel_state("v6.10")
    other = state.with_("mutant", nvme_align_mask=NvmeAlignMask.PAGE)
    result = compared(state, other, domain(nslabs=32768, nareas=1))
    assert "mask 0xffff" in report.as_text(result)
    assert {c.kind.sender for c in result.classes} >= {Sender.BOTH, Sender.ONLY_A}


def test_a_fixed_start_index_is_kept_to() -> None:
    states = [kernel_state(name) for name in ("v6.9", "v6.10")]
    result = compared(*states, domain(start_index=300, size=512))
    assert result.classes and result.undecided == ()
    for found in result.classes:
        assert found.smallest.point["start_index"] == 300
        assert found.smallest.point["area_nslabs"] > 300
        assert found.smallest.confirmed


def test_a_size_no_driver_sends_leaves_nothing_to_say() -> None:
    states = [kernel_state(name) for name in ("v6.9", "v6.10")]
    result = compared(*states, domain(size=1 << 30))
    assert result.verdict is Verdict.UNKNOWN and result.classes == ()


def test_a_path_that_one_lacks_is_a_class() -> None:
    states = [kernel_state(name) for name in ("v5.10.223", "v6.10")]
    asked = Domain(device("nvme"), page_size=65536, granule=65536)
    result = compared(*states, asked)
    fates = {(c.kind.a, c.kind.b) for c in result.classes}
    assert fates <= {(Fate.NO_PATH, f) for f in (Fate.MAPS, Fate.IN_PLACE, Fate.FAILS)}
    assert fates


def _word(drawn: Draw, name: str, ctype: CType) -> Word:
    column = drawn.batch.columns[name].astype(np.uint64)
    return Word(column & np.uint64((1 << ctype.bits) - 1), ctype)


def _space(drawn: Draw) -> Variables:
    pool = Pool(
        _word(drawn, "pool_start", U64),
        Word(drawn.nslabs // drawn.nareas, U32),
        _word(drawn, "start_index", U32),
        Word(drawn.boundary, U64),
        drawn.one_segment,
    )
    request = Request(_word(drawn, "orig_addr", U64), _word(drawn, "size", U64))
    areas = min(drawn.nareas, 2)
    return Variables(request, pool, Word(drawn.nareas, U32), areas, TRUE, {})


def _sent(drawn: Draw, limit: int) -> Draw:
    """The requests of ``drawn`` that a driver with ``limit`` may send, in the domain.

    A free pool is page aligned, no buffer lies in page 0, and swiotlb_alloc() is asked
    for whole pages.
    """
    given, page = dict(drawn.batch.columns), drawn.cell.page_size
    given["pool_start"] = np.maximum(given["pool_start"] // page, 1) * page
    if drawn.cell.path is Path.ALLOC:
        given["size"] = -(-given["size"] // page) * page
    kept = given["size"] <= limit
    if drawn.cell.path is not Path.ALLOC:
        kept &= given["orig_addr"] >= page
    columns = {name: column[kept] for name, column in given.items()}
    batch = Batch(columns)
    return Draw(drawn.cell, drawn.boundary, drawn.nslabs, drawn.nareas, batch)


def _simulated_difference(
    a: KernelState, b: KernelState, drawn: Draw, limits: tuple[int, int]
) -> Any:
    """Which requests differ in any outcome field, or in who may send them."""
    left, right = run_batch(a, drawn.batch), run_batch(b, drawn.batch)
    sizes = drawn.batch.columns["size"]
    unlike = (sizes <= limits[0]) != (sizes <= limits[1])
    for name in OUTPUTS:
        if name != "refused":
            unlike = unlike | (left[name] != right[name])
    return unlike


def assert_covered(a: KernelState, b: KernelState, drawn: Draw) -> int:
    """Each difference is in one class, no other request in any; how many there are."""
    cell, generic = drawn.cell, device("generic")
    asked = Domain(
        generic, cell.page_size, cell.granule if cell.path.has_granule else None,
        cell.path, cell.min_align_mask, drawn.boundary,
        nslabs=drawn.nslabs, nareas=drawn.nareas,
    )  # fmt: skip
    result = compared(a, b, asked)
    assert result.undecided == ()
    assert all(c.smallest.confirmed for c in result.classes)
    models = [BuiltinKernel(state) for state in (a, b)]
    limits = (generic.max_size(models[0], cell), generic.max_size(models[1], cell))
    drawn = _sent(drawn, max(limits))
    space = _space(drawn)
    sides = [
        fares(model, cell, limit, space, tuple(JUDGED))
        for model, limit in zip(models, limits, strict=True)
    ]
    pair, count = Pair(*sides), len(drawn.batch)
    classes = np.zeros(count, dtype=np.int64)
    for found in result.classes:
        raw = np.asarray(pair.is_kind(found.kind).raw, dtype=bool)
        classes += np.broadcast_to(raw, count)
    unlike = _simulated_difference(a, b, drawn, limits)
    wrong = np.flatnonzero(classes != unlike.astype(np.int64))
    first = {k: v[wrong[:1]].tolist() for k, v in drawn.batch.columns.items()}
    assert not len(wrong), f"{a.name} {b.name} {cell}: {first}"
    return int(unlike.sum())


def assert_all_covered(
    names: tuple[str, str], seed: int, cells: int, count: int
) -> None:
    rng = np.random.default_rng(seed)
    a, b = (kernel_state(name) for name in names)
    assert sum(assert_covered(a, b, draw(rng, a, count)) for _ in range(cells))


@pytest.mark.parametrize("names", PAIRS)
def test_classes_cover_what_differs(names: tuple[str, str]) -> None:
    assert_all_covered(names, seed=20240213, cells=2, count=5000)


@pytest.mark.slow
@pytest.mark.parametrize("names", PAIRS)
def test_classes_cover_what_differs_in_a_million_requests(
    names: tuple[str, str],
) -> None:
    assert_all_covered(names, seed=20240216, cells=20, count=10000)
