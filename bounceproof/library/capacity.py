# SPDX-License-Identifier: GPL-2.0-only
"""``capacity`` as a function."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from bounceproof.library.ask import TIMEOUT, File, kernel_name, paths
from bounceproof.library.kernels import open_kernel
from bounceproof.library.mixes import (
    Place,
    check_groups,
    check_machine,
    group_of,
    pool_of,
    within,
)
from bounceproof.library.questions import given_fields
from bounceproof.library.results import Capacity
from bounceproof.models.capacity.boot import guest_pool, power_above
from bounceproof.models.catalog import device as device_named
from bounceproof.models.request import Path
from bounceproof.models.requests.validate import BadInput

if TYPE_CHECKING:
    from bounceproof.solver.capacity.answer import Answer


class MachineFields(TypedDict, total=False):
    """The machine whose pool is asked about.

    ``page_size``, ``granule``, ``min_align_mask``, ``pool_start`` and ``memory`` (of a
    guest that is encrypted) in bytes; ``nslabs`` in slots.  ``path``: ``direct`` where
    left out, ``iommu`` or ``alloc``.  ``cpus``: possible CPUs.
    """

    page_size: int
    path: str
    granule: int
    min_align_mask: int
    pool_start: int
    nslabs: int
    nareas: int
    memory: int
    cpus: int


_DEFAULTS: dict[str, Any] = {
    **dict.fromkeys(MachineFields.__annotations__),
    "page_size": 4096,
    "path": Path.DIRECT.value,
    "cpus": 1,
}


def capacity(
    kernel: File,
    mappings: Sequence[str] | str,
    *,
    device: str = "nvme",
    patches: Sequence[File] | File = (),
    config: Mapping[str, str] | None = None,
    queues: int = 1,
    depth: int = 1,
    swiotlb: str | None = None,
    restricted: bool = False,
    timeout: float = TIMEOUT,
    **machine: Unpack[MachineFields],
) -> Capacity:
    """Say whether a mix of mappings always succeeds, as ``bounceproof capacity`` does.

    ``mappings``: each ``[DEVICE/]SIZE[-SIZE][@ADDRESS][:COUNT]``, as many of them at
    once, times ``queues`` and ``depth``.  ``swiotlb``: the kernel's parameter,
    ``SLOTS,AREAS``.  ``restricted``: the device has a pool of its own.  ``timeout``:
    seconds for one solver query.

    Raises InputError, or another BounceproofError; TypeError for an unknown field.
    """
    given = {**_DEFAULTS, **given_fields(machine, _DEFAULTS)}
    given |= {"swiotlb": swiotlb, "restricted": restricted}
    model = open_kernel(kernel_name(kernel), paths(patches), config)
    from bounceproof.solver.capacity.answer import answer
    from bounceproof.solver.capacity.asked import Asked, has_areas

    check_machine(model, given)
    specs = (mappings,) if isinstance(mappings, str) else tuple(mappings)
    times = within("queues", queues, 1, 1 << 16) * within("depth", depth, 1, 1 << 16)
    place = Place(*_place(given))
    what = device_named(device)
    groups = tuple(group_of(model, spec, what, place, times) for spec in specs)
    check_groups(groups, "mappings")
    single = not has_areas(model)
    pool = pool_of(given, single)
    asked = Asked(model, groups, pool.nslabs, pool.nareas, given["pool_start"])
    areas = 1 if single or restricted else power_above(given["cpus"])
    found = answer(asked, areas, restricted, timeout, lambda text: None)
    return _told(found, given, single)


def _place(given: Mapping[str, Any]) -> tuple[int, Path, int | None, int | None]:
    path = Path(given["path"])
    if not path.has_granule and given["granule"] is not None:
        raise BadInput("granule", given["granule"], f"path {path} has no granule")
    return given["page_size"], path, given["granule"], given["min_align_mask"]


def _told(found: Answer, given: Mapping[str, Any], single: bool) -> Capacity:
    from bounceproof.report import capacity as report
    from bounceproof.solver.capacity.asked import Before
    from bounceproof.solver.contract.verdict import exit_code

    memory, guest = given["memory"], None
    if memory is not None:
        guest = guest_pool(memory, given["cpus"], single)
    said = "" if guest is None else report.guest_text(memory, guest)
    text = report.as_text(found, given["cpus"], single, None, said)
    told = json.loads(report.as_json(found, None, guest))
    first = found.of(Before.ANYTHING, True) if found.carried else None
    least = None if first is None else first.least
    pool = None if least is None else least.pool
    why = found.never or found.unneeded or (None if least is None else least.why)
    return Capacity(
        kernel=told["kernel"],
        exit_code=exit_code([found.verdict]),
        text=text,
        details=text,
        json=told,
        verdict=told["verdict"],
        nslabs=found.asked.nslabs,
        nareas=found.asked.nareas,
        together=None if first is None else first.together.most,
        least_nslabs=None if pool is None else pool.nslabs,
        least_nareas=None if pool is None else pool.nareas,
        reason=why,
    )
