# SPDX-License-Identifier: GPL-2.0-only
"""What a verdict about a tree was given on, put together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from bounceproof.source.errors import SourceError
from bounceproof.source.eval.outside import BOUNDARY
from bounceproof.source.extract.driver import FILE, read_names
from bounceproof.source.extract.machine import INITIALISERS
from bounceproof.source.extract.stages import GIVEN_BACK, SYNCS, UNMAPS
from bounceproof.source.program.mentions import mentioned_from
from bounceproof.source.program.program import Program
from bounceproof.source.tree.provenance import Judged, Reads, patches_judged
from bounceproof.source.tree.tree import Tree

_LIMITS = ("dma_max_mapping_size", "dma_opt_mapping_size", "nr_slots")


def judged(
    tree: Tree,
    config: Mapping[str, str],
    program: Callable[[], Program],
    entries: Iterable[str],
) -> Judged:
    """The record of ``tree`` under ``config``.

    ``program`` reads the tree, ``entries`` are the functions that map.
    """
    identity = tree.identity()
    reads = _reader(program, entries) if tree.landed else _anything
    return Judged(
        tree.name,
        tree.version,
        None if identity is None else identity.commit,
        None if identity is None else identity.subject,
        None if identity is None else identity.dirty,
        patches_judged(tree, reads),
        tuple(sorted(config.items())),
    )


def names_read(program: Program, entries: Iterable[str]) -> frozenset[str]:
    """The functions that some answer about ``program`` may depend on.

    Of the driver, only what sets its limit and its mask counts.
    """
    roots = [*_roots(entries), *INITIALISERS]
    if FILE not in program.units:
        return mentioned_from(program, roots, BOUNDARY)
    functions, mentioned = read_names(program)
    core = mentioned_from(program, roots, BOUNDARY) - set(program.functions_in(FILE))
    return core | functions | mentioned_from(program, mentioned, BOUNDARY)


def read_by_mappings(program: Program, entries: Iterable[str]) -> frozenset[str]:
    """Every name that mappings, their syncs and ends, and limits may lead to."""
    return mentioned_from(program, _roots(entries), BOUNDARY)


def _roots(entries: Iterable[str]) -> list[str]:
    ends = [name for names in UNMAPS.values() for name in names]
    syncs = [name + end for name in SYNCS.values() for end in ("device", "cpu")]
    return [*entries, *ends, *syncs, *GIVEN_BACK, *_LIMITS]


def _anything(name: str) -> bool:
    return True


def _reader(program: Callable[[], Program], entries: Iterable[str]) -> Reads:
    """Whether a function is read; of a tree that cannot be read, all may be.

    So may functions that the tree no longer has.
    """
    try:
        tree = program()
        names = names_read(tree, entries)
    except SourceError:
        return _anything
    known = {name for file in tree.units for name in tree.functions_in(file)}
    return lambda name: name in names or name not in known
