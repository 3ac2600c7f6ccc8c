# SPDX-License-Identifier: GPL-2.0-only
"""``check``, ``prove`` and ``simulate`` as functions."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from bounceproof.library.kernels import base_kernel, open_kernel
from bounceproof.library.questions import (
    STEPS,
    DomainFields,
    RequestFields,
    domain_of,
    given_fields,
    interpret_single_requests,
    no_granule,
    properties_named,
    request_fields,
)
from bounceproof.library.results import Check, Proof, Request, Simulation
from bounceproof.models.catalog import device as device_named
from bounceproof.models.requests.defaults import FIELDS, complete
from bounceproof.report.formats import Answer

TIMEOUT = 60.0
"""Seconds for one solver query."""
File = str | os.PathLike[str]


def paths(files: Sequence[File] | File) -> tuple[str, ...]:
    """File names as text; one alone stands for itself."""
    if isinstance(files, (str, os.PathLike)):
        files = (files,)
    return tuple(os.fspath(name) for name in files)


def kernel_name(kernel: File) -> str:
    """A kernel's name; a path names a place in the file system."""
    if isinstance(kernel, str):
        return kernel
    name = os.fspath(kernel)
    return name if "/" in name else f"./{name}"


def common(answer: Answer) -> dict[str, Any]:
    """What every result has of ``answer``, but for the kernel and the exit code."""
    return {
        "text": answer.text(False),
        "details": answer.text(True),
        "json": {"schema": 1, "command": answer.command, **answer.fields()},
    }


def check(
    kernel: File,
    *,
    properties: Sequence[str] | None = None,
    device: str = "nvme",
    patches: Sequence[File] | File = (),
    config: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT,
    **fields: Unpack[DomainFields],
) -> Check:
    """Check the contract of ``kernel``, as ``bounceproof check`` does.

    ``kernel``: a built-in state with fixes (``v6.6+will-v3``), or a kernel tree, a
    revision of one or an archive; a path is always one of these.  ``properties``: all
    of them for None.  ``patches`` and ``config`` go with trees.  ``fields`` fix what
    else would range.  ``timeout``: seconds for one solver query.

    Raises InputError, or another BounceproofError; TypeError for an unknown field.
    """
    asked = given_fields(fields, (*FIELDS, "pool_kind", *STEPS.values()))
    props = properties_named(properties)
    interpret_single_requests()
    model = open_kernel(kernel_name(kernel), paths(patches), config)
    from bounceproof.library.read import findings
    from bounceproof.report import checks
    from bounceproof.solver.answers.check import check_kernel

    domain = domain_of([model], device_named(device), asked)
    result = check_kernel(model, domain, props, timeout)
    told = common(checks.answer(result))
    return Check(
        **told,
        kernel=told["json"]["kernel"],
        exit_code=result.exit_code,
        verdict=told["json"]["verdict"],
        findings=findings(model, result.findings, told["json"]["properties"]),
    )


def prove(
    kernel: File,
    *,
    properties: Sequence[str] | None = None,
    device: str = "nvme",
    patches: Sequence[File] | File = (),
    config: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT,
    **fields: Unpack[DomainFields],
) -> Proof:
    """Compare ``kernel`` with what it is without its fixes or ``patches``.

    As ``bounceproof prove`` does; see :func:`check` for what the arguments are.

    Raises InputError, or another BounceproofError; TypeError for an unknown field.
    """
    asked = given_fields(fields, (*FIELDS, "pool_kind", *STEPS.values()))
    props, name, on_top = (
        properties_named(properties),
        kernel_name(kernel),
        paths(patches),
    )
    interpret_single_requests()
    model = open_kernel(name, on_top, config)
    base = base_kernel(name, model, on_top, config)
    from bounceproof.library.read import findings
    from bounceproof.report import proofs
    from bounceproof.solver.answers.prove import prove_kernel

    domain = domain_of([base, model], device_named(device), asked)
    result = prove_kernel(base, model, domain, props, timeout)
    told = common(proofs.answer(result))
    json = told["json"]
    return Proof(
        **told,
        fixed=tuple(json["fixed"]),
        still_broken=tuple(json["still_broken"]),
        regressed=tuple(json["regressed"]),
        undecided=tuple(json["undecided"]),
        kernel=json["kernel"],
        base=json["base"],
        exit_code=result.exit_code,
        verdict=json["verdict"],
        findings=findings(model, result.kernel.findings, json["properties"]),
        base_findings=findings(base, result.base.findings, json["base_properties"]),
        worse=findings(model, result.worse, json["worse"]),
    )


def simulate(
    kernel: File,
    *,
    device: str = "nvme",
    patches: Sequence[File] | File = (),
    config: Mapping[str, str] | None = None,
    taken: Sequence[tuple[int, int]] | None = None,
    **fields: Unpack[RequestFields],
) -> Simulation:
    """Run one request on ``kernel``, as ``bounceproof simulate`` does.

    Fields left out are those of the 2024 thread's machine.  ``taken``: runs of slots in
    use, first and last, in a pool of one area; the pool is empty for None.

    Raises InputError, or another BounceproofError; TypeError for an unknown field.
    """
    asked = request_fields(fields)
    interpret_single_requests()
    model = open_kernel(kernel_name(kernel), paths(patches), config)
    from bounceproof.library.read import only
    from bounceproof.library.taken import checked_runs
    from bounceproof.report import simulations
    from bounceproof.report.request import kernel_line

    known = device_named(device)
    request = complete(model, known, asked)
    no_granule(asked.get("path"), asked.get("granule"))
    runs = None if taken is None else checked_runs(taken, request)
    ran = simulations.run(model, request, runs, known)
    told = common(ran.answer())
    return Simulation(
        **told,
        kernel=told["json"]["kernel"],
        exit_code=0,
        request=only(Request, ran.request),
        outcome=ran.outcome,
        log_line=kernel_line(ran.request, ran.outcome, runs),
    )
