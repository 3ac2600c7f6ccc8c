# SPDX-License-Identifier: GPL-2.0-only
"""Whether two kernels compute the same: decision by decision, for all inputs.

Where the limits, every search rule and every mapping field agree in all cells, the
whole outcome does: it is a function of these alone.  What becomes of the mapping is
compared for any slot that it may be placed at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

from bounceproof.models.constants import IO_TLB_SIZE, MAX_PHYS_BITS
from bounceproof.models.formulas.lifetime import HasLife
from bounceproof.models.formulas.pools import HasState
from bounceproof.models.formulas.search import NoClosedForm, NotRead
from bounceproof.models.kernels.state import KernelState, LimitSource
from bounceproof.models.request import (
    Cell,
    KernelModel,
    Mapping,
    Path,
    Request,
    SearchRule,
)
from bounceproof.models.requests.devices import Device
from bounceproof.models.words.word import PHYS_ADDR_T, SIZE_T, Truth, Word
from bounceproof.solver.compare.conform_life import LifeSpace, life_questions
from bounceproof.solver.contract.domain import Domain
from bounceproof.solver.contract.verdict import Verdict, Watch, unwatched
from bounceproof.solver.smt.engine import Query, Status, ask
from bounceproof.solver.smt.minimum import Point, minimise, value_of
from bounceproof.solver.smt.reshape import true_in
from bounceproof.solver.smt.terms import term_id, variable
from bounceproof.solver.trees.started import unproved_start

MASKS = (0, IO_TLB_SIZE - 1, 0xFFF, 0xFFFF)
_WORDS = ("padding", "total", "printed", "nslots", "alloc_align_mask")


@dataclass(frozen=True, slots=True)
class Difference:
    """``what`` differs in ``cell``: ``built`` in one kernel, ``read`` in the other.

    ``point``: the smallest input on which it does, where it depends on one.
    """

    cell: Cell
    what: str
    built: str
    read: str
    point: dict[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Conformance:
    """What was compared, and what differs; ``unknown`` has what got no answer."""

    compared: int
    cells: int
    differences: tuple[Difference, ...]
    unknown: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        """Broken where anything differs, unknown where anything is open."""
        if self.differences:
            return Verdict.BROKEN
        return Verdict.UNKNOWN if self.unknown or not self.cells else Verdict.HOLDS


def conform(
    built: KernelModel,
    read: KernelModel,
    domain: Domain,
    seconds: float,
    watch: Watch = unwatched,
) -> Conformance:
    """Compare two kernels over the pages, granules, paths and masks of ``domain``."""
    differences: list[Difference] = []
    unknown: list[str] = []
    compared = cells = 0
    for cell in _cells(built, read, domain, differences):
        cells += 1
        watch(f"configuration {cells}")
        for found in (
            *_read(_slots(built, read, cell)),
            *_read(_numbers(built, read, cell, domain.device)),
            *_read(_rules(built, read, cell)),
            *_read(_mappings(built, read, cell, seconds)),
            *_read(_lives(built, read, cell, seconds)),
        ):
            compared += 1
            if isinstance(found, Difference):
                differences.append(found)
            elif isinstance(found, str):
                unknown.append(found)
    return Conformance(
        compared, cells, tuple(differences), tuple(dict.fromkeys(unknown))
    )


Compared = Iterator[Difference | str | None]


def _read(compared: Compared) -> Compared:
    """What is compared, and why no more of it is where code cannot be read."""
    try:
        yield from compared
    except (NotRead, NoClosedForm) as error:
        yield str(error)


def _cells(
    built: KernelModel,
    read: KernelModel,
    domain: Domain,
    differences: list[Difference],
) -> Iterator[Cell]:
    for path in Path if domain.path is None else (domain.path,):
        mine, theirs = built.unsupported(path), read.unsupported(path)
        if (mine is None) != (theirs is None):
            lacks = Cell(4096, 4096, path, 0)
            differences.append(
                Difference(lacks, "path", mine or "present", theirs or "present")
            )
        if mine is None and theirs is None:
            for mask in MASKS if domain.min_align_mask is None else (None,):
                yield from _of_path(domain, built, path, mask)


def _of_path(
    domain: Domain, built: KernelModel, path: Path, mask: int | None
) -> Iterator[Cell]:
    wanted = domain.min_align_mask if mask is None else mask
    granule = domain.granule if path.has_granule else None
    narrow = Domain(
        domain.device,
        page_size=domain.page_size,
        granule=granule,
        path=path,
        min_align_mask=wanted,
    )
    yield from narrow.cells(built)


def _same(cell: Cell, what: str, built: object, read: object) -> Difference | None:
    if built == read:
        return None
    return Difference(cell, what, _shown(built), _shown(read))


def _shown(value: object) -> str:
    plain = isinstance(value, int) and not isinstance(value, bool)
    return f"{value:#x}" if plain else str(value)


def _takes_optimum(state: KernelState) -> bool:
    """Whether any limit is dma_opt_mapping_size(), which kernels before v6.0 lack."""
    return state.nvme_limit_source is LimitSource.OPT_MAPPING


def _slots(built: KernelModel, read: KernelModel, cell: Cell) -> Compared:
    mine, theirs = built.geometry(cell.page_size), read.geometry(cell.page_size)
    yield _same(cell, "IO_TLB_SHIFT", mine.shift, theirs.shift)
    yield _same(cell, "IO_TLB_SEGSIZE", mine.segsize, theirs.segsize)
    for model in (built, read):
        yield unproved_start(model, (cell.page_size,))


def _numbers(
    built: KernelModel, read: KernelModel, cell: Cell, device: Device
) -> Compared:
    sizes = ["max_mapping_size", "nvme_limit"]
    if isinstance(built, HasState) and _takes_optimum(built.state):
        sizes.append("opt_mapping_size")
    for name in sizes:
        mine, theirs = getattr(built, name)(cell), getattr(read, name)(cell)
        yield _same(cell, name, mine, theirs)
    masks = built.nvme_align_mask(cell.page_size), read.nvme_align_mask(cell.page_size)
    yield _same(cell, "nvme min_align_mask", *masks)


def _rules(built: KernelModel, read: KernelModel, cell: Cell) -> Compared:
    mine, theirs = built.alloc_align_masks(cell), read.alloc_align_masks(cell)
    yield _same(cell, "alloc_align_masks", mine, theirs)
    for mask in mine:
        for large in (False, True):
            one = built.search_rule(cell, mask, large).canonical
            two = read.search_rule(cell, mask, large).canonical
            side = "a page or more" if large else "less than a page"
            for field in fields(SearchRule):
                what = f"search {field.name}, {side}, alloc_align_mask {mask:#x}"
                pair = getattr(one, field.name), getattr(two, field.name)
                yield _same(cell, what, *pair)


def _mappings(
    built: KernelModel, read: KernelModel, cell: Cell, seconds: float
) -> Compared:
    address = variable("orig_addr", PHYS_ADDR_T)
    if cell.path is Path.ALLOC:
        address = Word(0, PHYS_ADDR_T)
    size = variable("size", SIZE_T)
    top = Word(1 << MAX_PHYS_BITS, SIZE_T)
    space = (size > 0) & (size <= top) & (address < top)
    request = Request(address, size)
    mine, theirs = built.mapping(cell, request), read.mapping(cell, request)
    for name, differ in _questions(cell, mine, theirs):
        found = _asked(cell, name, space & differ, request, seconds)
        if isinstance(found, Difference) and found.point is not None:
            both = getattr(mine, name), getattr(theirs, name)
            one, two = _values_at(request, found.point, *both)
            found = replace(found, built=one, read=two)
        yield found


_SECONDS = 30.0


def _values_at(request: Request, point: Point, *words: Word | Truth) -> tuple[str, ...]:
    """What ``words`` are for the request at ``point``."""
    fixed = request.size.eq(Word(point["size"], SIZE_T))
    fixed = fixed & request.orig_addr.eq(Word(point["orig_addr"], PHYS_ADDR_T))
    model = ask(Query("a request", fixed), _SECONDS).model
    assert model is not None
    return tuple(
        str(value_of(model, word) if isinstance(word, Word) else true_in(model, word))
        for word in words
    )


def _lives(
    built: KernelModel, read: KernelModel, cell: Cell, seconds: float
) -> Compared:
    """What becomes of a mapping, wherever it is placed; not asked on path link, nor of
    slots that differ."""
    both = isinstance(built, HasLife) and isinstance(read, HasLife)
    if not both or cell.path is Path.LINK:
        return
    geometry = read.geometry(cell.page_size)
    if built.geometry(cell.page_size) != geometry:
        return
    space = LifeSpace(cell, geometry)
    asked: dict[int, Truth] = {}
    for name, question in life_questions(built, read, space):
        if asked.setdefault(term_id(question), question) is not question:
            continue
        yield _answered(cell, name, question, space.fields, seconds)


def _questions(
    cell: Cell, mine: Mapping, theirs: Mapping
) -> Iterator[tuple[str, Truth]]:
    yield "bounced", _unlike(mine.bounced, theirs.bounced)
    bounced = mine.bounced & theirs.bounced
    yield "refused", _unlike(mine.refused, theirs.refused)
    live = bounced & ~mine.refused & ~theirs.refused
    for name in _WORDS:
        if name == "printed" and cell.path is Path.ALLOC:
            continue
        yield name, live & getattr(mine, name).ne(getattr(theirs, name))


def _unlike(one: Truth, two: Truth) -> Truth:
    return (one & ~two) | (~one & two)


def _asked(
    cell: Cell,
    name: str,
    question: Truth,
    request: Request,
    seconds: float,
) -> Difference | str | None:
    words = {"size": request.size, "orig_addr": request.orig_addr}
    return _answered(cell, name, question, words, seconds)


def _answered(
    cell: Cell, name: str, question: Truth, words: dict[str, Word], seconds: float
) -> Difference | str | None:
    title = f"{name} on path {cell.path.value}"
    answer = ask(Query(title, question), seconds)
    if answer.status is Status.UNKNOWN:
        return answer.reason
    if answer.model is None:
        return None
    point = minimise(title, question, words, answer.model, seconds).point
    return Difference(cell, name, "one value", "another", point)
