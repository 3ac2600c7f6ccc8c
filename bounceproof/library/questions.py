# SPDX-License-Identifier: GPL-2.0-only
"""What a question is about: fields of requests, and the domain that they leave."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from bounceproof.models.contract import Property
from bounceproof.models.request import KernelModel, Path, PoolKind
from bounceproof.models.requests.defaults import FIELDS
from bounceproof.models.requests.devices import Device
from bounceproof.models.requests.validate import BadInput, validate_for, validate_pool

if TYPE_CHECKING:
    from bounceproof.solver.contract.domain import Domain

STEPS = {"size": "size_step", "orig_addr": "addr_step"}


class RequestFields(TypedDict, total=False):
    """Fields of one request, as on the command line.

    Sizes, addresses and masks in bytes, ``nslabs`` and ``start_index`` in slots.
    ``path``: ``direct``, ``iommu``, ``alloc`` or ``link``.  ``pool_kind``:
    ``default``, ``grown`` or ``transient``.
    """

    page_size: int
    path: str
    granule: int
    min_align_mask: int
    seg_boundary_mask: int
    pool_start: int
    nslabs: int
    nareas: int
    start_index: int
    orig_addr: int
    size: int
    pool_kind: str


class DomainFields(RequestFields, total=False):
    """Fields that are fixed; those left out range over their whole domain.

    ``size_step`` and ``addr_step``: sizes and addresses are multiples of these bytes.
    """

    size_step: int
    addr_step: int


def interpret_single_requests() -> None:
    """Run the simulator uncompiled: loading compiled code costs more than it saves.

    Where nothing of it is imported yet; a value in the environment stays.
    """
    os.environ.setdefault("BOUNCEPROOF_JIT", "0")


def given_fields(fields: Mapping[str, Any], known: Iterable[str]) -> dict[str, Any]:
    """``fields`` with numbers as int.  Raises TypeError for a name that is none of
    ``known``, BadInput for a value that is no number or no name."""
    known = tuple(known)
    for name in fields:
        if name not in known:
            raise TypeError(f"no field '{name}'; there are {', '.join(known)}")
    return {n: _value(n, v) for n, v in fields.items() if v is not None}


def _value(name: str, value: Any) -> Any:
    kinds: dict[str, type[Path] | type[PoolKind]] = {
        "path": Path,
        "pool_kind": PoolKind,
    }
    if name in kinds:
        names = [kind.value for kind in kinds[name]]
        if value not in names:
            raise BadInput(name, f"'{value}'", f"not {', '.join(names)}")
        return str(value)
    try:
        return operator.index(value)
    except TypeError:
        raise BadInput(name, repr(value), "not a whole number") from None


def request_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of one request.  Raises TypeError or BadInput."""
    return given_fields(fields, (*FIELDS, "pool_kind"))


def properties_named(names: Sequence[str] | None) -> list[Property]:
    """The properties of these names, all of them for None.  Raises BadInput."""
    if names is None:
        return list(Property)
    known = [prop.value for prop in Property]
    for name in names:
        if name not in known:
            why = f"no property; there are {', '.join(known)}"
            raise BadInput("properties", f"'{name}'", why)
    return [Property(name) for name in dict.fromkeys(names)]


def no_granule(path: str | None, granule: int | None) -> None:
    """Raise BadInput for a granule on a path that has none."""
    if path is not None and granule is not None and not Path(path).has_granule:
        raise BadInput("granule", granule, f"path {path} has no granule")


def _sendable(device: Device, fields: Mapping[str, Any]) -> None:
    """Raise BadInput for a fixed size or address that ``device`` never sends."""
    steps = {"size": device.size_step, "orig_addr": device.addr_step}
    for name, own in steps.items():
        step, value = fields.get(STEPS[name]) or own, fields.get(name)
        if value is not None and value % step:
            why = f"{device.name} sends multiples of {step}, unless told of other steps"
            raise BadInput(name, value, why)


def domain_of(
    models: Sequence[KernelModel], device: Device, fields: Mapping[str, Any]
) -> Domain:
    """What ``fields`` leave open, valid for every kernel of ``models``.

    Absent fields and None range.  Raises BadInput.
    """
    from bounceproof.solver.contract.domain import Domain

    kind = PoolKind(fields.get("pool_kind") or PoolKind.DEFAULT)
    known = {name: value for name, value in fields.items() if name != "pool_kind"}
    for model in models:
        validate_for(model, known)
        validate_pool(model, {**known, "pool_kind": kind})
    path = known.pop("path", None)
    no_granule(path, known.get("granule"))
    _sendable(device, known)
    way = None if path is None else Path(path)
    return Domain(device=device, path=way, pool_kind=kind, **known)
