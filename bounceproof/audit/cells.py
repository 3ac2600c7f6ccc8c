# SPDX-License-Identifier: GPL-2.0-only
"""The questions of an audit, one property of one kernel in one cell each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path as FilePath
from typing import Any

import bounceproof
from bounceproof.audit.codec import decode, encode, hints
from bounceproof.errors import InputError
from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.catalog import device as device_named
from bounceproof.models.constants import PAGE_SIZES
from bounceproof.models.kernels.state import DECISION_POINTS, KernelState, Origin
from bounceproof.models.request import Path
from bounceproof.models.requests.devices import Device
from bounceproof.solver.contract.domain import Domain
from bounceproof.solver.contract.properties import Property, applies
from bounceproof.solver.smt import engine

_ROOMS = ("models", "simulator", "solver", "audit")
_ELSEWHERE = Origin("", "", "", "", "")


class AuditError(InputError):
    """What ends an audit; one line for the user."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What an answer depends on beside its question.

    ``sources`` is a hash of the rooms that compute answers, ``solver`` the version
    of the SMT solver.
    """

    tool: str
    sources: str
    solver: str

    def __str__(self) -> str:
        return f"{self.tool}, sources {self.sources[:12]}, solver {self.solver}"


@dataclass(frozen=True, slots=True)
class Unit:
    """One line of the table.

    Sizes in bytes; no granule where the path has none; the masks None where they are
    the device's own.
    """

    state: KernelState
    prop: Property
    device: Device
    page_size: int
    path: Path
    granule: int | None
    min_align_mask: int | None = None
    seg_boundary_mask: int | None = None

    def query(self) -> dict[str, Any]:
        """The question as JSON.  Kernels equal in every decision point ask the same."""
        domain = encode(self.domain())
        return {
            "decisions": encode(self.state.decisions()),
            "property": self.prop.value,
            "domain": {**domain, "device": self.device.name},
        }

    def domain(self) -> Domain:
        """Every request of this line."""
        return Domain(
            self.device,
            page_size=self.page_size,
            path=self.path,
            granule=self.granule,
            min_align_mask=self.min_align_mask,
            seg_boundary_mask=self.seg_boundary_mask,
        )


@dataclass(frozen=True, slots=True)
class Selection:
    """What to audit; an empty tuple of page sizes, granules or paths means all.

    Granules select among the cells of paths that have one; alone, they select those
    paths.
    """

    states: tuple[KernelState, ...]
    properties: tuple[Property, ...]
    devices: tuple[Device, ...]
    page_sizes: tuple[int, ...] = ()
    granules: tuple[int, ...] = ()
    paths: tuple[Path, ...] = ()

    def units(self) -> list[Unit]:
        """Every line, kernel by kernel, largest pages first.

        A property is left out on paths where it is not asked.
        """
        return [
            Unit(state, prop, device, page, path, granule)
            for state in dict.fromkeys(self.states)
            for device in dict.fromkeys(self.devices)
            for page, path, granule in self._cells(state, device)
            for prop in self.properties
            if applies(prop, path)
        ]

    def _cells(
        self, state: KernelState, device: Device
    ) -> Iterator[tuple[int, Path, int | None]]:
        model = BuiltinKernel(state)
        with_granule = tuple(p for p in device.paths if p.has_granule)
        paths = self.paths or (with_granule if self.granules else device.paths)
        for page in sorted(set(self.page_sizes or PAGE_SIZES), reverse=True):
            for path in dict.fromkeys(paths):
                for granule in self._granules(path):
                    asked = Domain(device, page_size=page, path=path, granule=granule)
                    cells = asked.cells(model)
                    yield from dict.fromkeys(
                        (page, path, cell.granule if path.has_granule else None)
                        for cell in cells
                    )

    def _granules(self, path: Path) -> list[int | None]:
        """The granules to ask for; None stands for whatever the domain has."""
        if not path.has_granule or not self.granules:
            return [None]
        return [*sorted(set(self.granules), reverse=True)]


def state_from(decisions: dict[str, Any]) -> KernelState:
    """The nameless state with these decision points.  Raises NotDecodable."""
    kinds = hints(KernelState)
    values = {name: decode(kinds[name], decisions[name]) for name in DECISION_POINTS}
    return KernelState(name="", origin=_ELSEWHERE, **values)


def unit_from(query: dict[str, Any]) -> Unit:
    """The unit that asks ``query``, its kernel without a name."""
    domain = query["domain"]
    return Unit(
        state_from(query["decisions"]),
        Property(query["property"]),
        device_named(domain["device"]),
        domain["page_size"],
        Path(domain["path"]),
        domain["granule"],
        domain["min_align_mask"],
        domain["seg_boundary_mask"],
    )


def key_of(query: dict[str, Any], identity: Identity) -> str:
    """The store's key: question, tool, its sources, and solver."""
    text = json.dumps({"query": query, **asdict(identity)}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def sources_hash(root: FilePath) -> str:
    """SHA-256 over names and contents of every source file that makes answers.

    Raises AuditError where the package has no source files.
    """
    digest = hashlib.sha256()
    for room in _ROOMS:
        files = sorted((root / room).rglob("*.py"))
        if not files:
            raise AuditError(f"{root / room}: no source files to tell versions apart")
        for file in files:
            content = file.read_bytes()
            name = file.relative_to(root).as_posix()
            digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


@cache
def identity() -> Identity:
    """The identity of this process, as it was when first asked."""
    root = FilePath(bounceproof.__file__).parent
    solver: str = engine.solver_version()
    return Identity(bounceproof.__version__, sources_hash(root), solver)
