# SPDX-License-Identifier: GPL-2.0-only
"""Kernels that are asked about on one page: checked, or compared with their base."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bounceproof.cli.output import waiting
from bounceproof.cli.questions import (
    domain_of,
    interpret_single_requests,
    properties_of,
)
from bounceproof.cli.subjects import base_of, model_of
from bounceproof.errors import InputError

if TYPE_CHECKING:
    from bounceproof.solver.answers.prove import Proved


def asked_of_each(
    kernels: tuple[str, ...],
    patches: tuple[str, ...],
    settings: tuple[str, ...],
    properties: tuple[str, ...],
    timeout: float,
    options: dict[str, Any],
) -> list[Proved]:
    """What is found of each kernel and its base, which may be the kernel itself.

    Raises InputError or a SourceError.
    """
    if patches and len(kernels) > 1:
        raise InputError(f"--patch '{patches[0]}': with one KERNEL alone")
    interpret_single_requests()
    from bounceproof.solver.answers.prove import prove_kernel
    from bounceproof.solver.contract.verdict import told

    models = [model_of(name, patches, settings) for name in kernels]
    named = zip(kernels, models, strict=True)
    bases = [base_of(name, model, patches, settings) for name, model in named]
    asked = properties_of(properties)
    found = []
    with waiting() as watch:
        for number, (base, model) in enumerate(zip(bases, models, strict=True)):
            domain = domain_of([base, model], dict(options))
            hears = told(watch, model.name, number, len(models))
            found.append(prove_kernel(base, model, domain, asked, timeout, hears))
    return found
