# SPDX-License-Identifier: GPL-2.0-only
"""Configurations (path, page size, granule, mask) named in as few words as will do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import combinations, pairwise

from bounceproof.models.request import Cell, Path
from bounceproof.report.text import several, short_size

EVERY = "all configurations"

_Key = tuple[int, ...]


def _listed(one: str, more: str, values: Iterable[int]) -> str:
    words = [short_size(value) for value in sorted(values)]
    return (one if len(words) == 1 else more).format(several(words))


def _masks(values: Iterable[int]) -> str:
    masks = sorted(values)
    row = all(after == 2 * mask + 1 for mask, after in pairwise(masks))
    if row and len(masks) > 2:
        return f"masks {masks[0]:#x} to {masks[-1]:#x}"
    words = several(f"{mask:#x}" for mask in masks)
    return f"mask {words}" if len(masks) == 1 else f"masks {words}"


_Dimension = tuple[Callable[[Cell], int], Callable[[Iterable[int]], str]]


def _granules(values: Iterable[int]) -> str:
    return _listed("granule {}", "granules {}", values)


def _pages(values: Iterable[int]) -> str:
    return _listed("{} pages", "{} pages", values)


_DIMENSIONS: tuple[_Dimension, ...] = (
    (lambda cell: cell.granule, _granules),
    (lambda cell: cell.page_size, _pages),
    (lambda cell: cell.min_align_mask, _masks),
)


def name(cell: Cell) -> str:
    """One configuration: ``iommu, granule 64K, 64K pages, mask 0xfff``."""
    granule = f", {_granules([cell.granule])}" if cell.path.has_granule else ""
    kept = f", {_pages([cell.page_size])}, {_masks([cell.min_align_mask])}"
    return f"{cell.path.value}{granule}{kept}"


def configurations(some: Iterable[Cell], every: Iterable[Cell]) -> str:
    """``some`` of the configurations ``every``, by what tells them from the others."""
    chosen, whole = list(dict.fromkeys(some)), list(dict.fromkeys(every))
    if len(chosen) == 1:
        return _only(chosen[0], whole)
    if set(chosen) == set(whole):
        return EVERY
    parts = []
    for path in Path:
        mine = [cell for cell in chosen if cell.path is path]
        if mine:
            parts.append(_of_path(mine, [c for c in whole if c.path is path]))
    return "; ".join(parts)


def _only(cell: Cell, whole: list[Cell]) -> str:
    """A single one: the mask is named where another one has all else in common."""
    like = [c for c in whole if _place(c) == _place(cell)]
    told = name(cell)
    return told if len(like) > 1 or len(whole) == 1 else told.rpartition(", ")[0]


def _place(cell: Cell) -> tuple[str, int, int]:
    granule = cell.granule if cell.path.has_granule else 0
    return cell.path.value, granule, cell.page_size


def _of_path(mine: list[Cell], whole: list[Cell]) -> str:
    path = mine[0].path
    if len(mine) == len(whole):
        if len(whole) == 1:
            return f"{path.value}, {_pages([mine[0].page_size])}"
        return f"{path.value}, all {'granules' if path.has_granule else 'page sizes'}"
    usable = _DIMENSIONS if path.has_granule else _DIMENSIONS[1:]
    others = [cell for cell in whole if cell not in mine]
    for count in range(1, len(usable) + 1):
        for chosen in combinations(usable, count):
            keys = [_key(cell, chosen) for cell in mine]
            if not set(keys) & {_key(cell, chosen) for cell in others}:
                return f"{path.value}, {_told(dict.fromkeys(keys), chosen)}"
    return path.value


def _key(cell: Cell, chosen: tuple[_Dimension, ...]) -> _Key:
    return tuple(value(cell) for value, _ in chosen)


def _told(keys: Iterable[_Key], chosen: tuple[_Dimension, ...]) -> str:
    """Values of a few dimensions; those of the first that go with the same others
    are named together."""
    (_, text), *rest = chosen
    if not rest:
        return text(key[0] for key in keys)
    after: dict[int, list[_Key]] = {}
    for key in keys:
        after.setdefault(key[0], []).append(key[1:])
    alike: dict[tuple[_Key, ...], list[int]] = {}
    for first, others in after.items():
        alike.setdefault(tuple(sorted(others)), []).append(first)
    return " and ".join(
        f"{text(firsts)} with {_told(others, tuple(rest))}"
        for others, firsts in alike.items()
    )
