# SPDX-License-Identifier: GPL-2.0-only
"""Results out of answers: the fields of their JSON, which the contract fixes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any, TypeVar

from bounceproof.library.results import (
    Configuration,
    Counterexample,
    Finding,
    Request,
)
from bounceproof.models.request import KernelModel
from bounceproof.solver.contract.verdict import Finding as Found

T = TypeVar("T")


def only(kind: type[T], told: dict[str, Any]) -> T:
    """The dataclass ``kind`` out of those of its fields that ``told`` has."""
    named: Any = kind
    return kind(**{f.name: told[f.name] for f in fields(named) if f.name in told})


def _counterexample(
    model: KernelModel, found: Found, told: dict[str, Any]
) -> Counterexample | None:
    from bounceproof.report.checks import command_of

    example = found.counterexample
    if example is None:
        return None
    shown, taken = told["counterexample"], example.taken
    return Counterexample(
        request=only(Request, shown),
        outcome=example.outcome,
        violation=told["violation"],
        limit=example.limit,
        minimum=example.minimum,
        confirmed=bool(found.confirmed),
        log_line=told["message"],
        command="\n".join(command_of(model, example)[1:]),
        taken=None if taken is None else tuple((low, high) for low, high in taken),
    )


def findings(
    model: KernelModel, found: Iterable[Found], told: Iterable[dict[str, Any]]
) -> tuple[Finding, ...]:
    """The findings ``found``, of which JSON has ``told``."""
    return tuple(
        Finding(
            property=one["property"],
            verdict=one["verdict"],
            counterexample=_counterexample(model, finding, one),
            reason=one["reason"],
            note=one["note"],
            configurations=tuple(only(Configuration, cell) for cell in one["cells"]),
        )
        for finding, one in zip(found, told, strict=True)
    )
