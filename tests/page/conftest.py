# SPDX-License-Identifier: GPL-2.0-only
"""A kernel that is checked once, and the page about it."""

from __future__ import annotations

import os

import pytest

os.environ.setdefault("BOUNCEPROOF_JIT", "0")

from bounceproof.library.kernels import base_kernel, open_kernel
from bounceproof.library.questions import domain_of
from bounceproof.models.catalog import device
from bounceproof.models.contract import Property
from bounceproof.report.page.content import Kernel, of_proof
from bounceproof.report.page.render import page
from bounceproof.solver.answers.prove import Proved, prove_kernel

ASKED = {"page_size": 65536, "granule": 65536, "nslabs": 32768, "nareas": 1}


def proved_of(name: str, *properties: Property) -> Proved:
    """A kernel and its base, asked about the thread's machine."""
    model = open_kernel(name)
    base = base_kernel(name, model)
    domain = domain_of([base, model], device("nvme"), ASKED)
    return prove_kernel(base, model, domain, list(properties), 60)


@pytest.fixture(scope="package")
def broken() -> Proved:
    return proved_of("v6.9", Property.FITS, Property.HALTS, Property.CLEAN)


@pytest.fixture(scope="package")
def fixed() -> Proved:
    pair = "v6.6+nicolin-v1-1+nicolin-v1-2"
    return proved_of(pair, Property.FITS, Property.HALTS, Property.CLEAN)


@pytest.fixture(scope="package")
def kernels(broken: Proved, fixed: Proved) -> list[Kernel]:
    return [of_proof(broken), of_proof(fixed)]


@pytest.fixture(scope="package")
def text(kernels: list[Kernel]) -> str:
    return page(kernels)
