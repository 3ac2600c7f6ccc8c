# SPDX-License-Identifier: GPL-2.0-only
"""``bounceproof prove``."""

from __future__ import annotations

from typing import Any

import click

from bounceproof.cli.options import json_option, pool_kind_option, request_options
from bounceproof.cli.questions import (
    domain_of,
    interpret_single_requests,
    properties_of,
    question_options,
)
from bounceproof.cli.streams import say
from bounceproof.cli.subjects import base_of, kernel_options, model_of


@click.command()
@click.argument("kernel")
@kernel_options
@request_options
@pool_kind_option
@question_options
@json_option
def prove(
    kernel: str,
    patches: tuple[str, ...],
    settings: tuple[str, ...],
    properties: tuple[str, ...],
    timeout: float,
    as_json: bool,
    **options: Any,
) -> int:
    """Prove the contract of KERNEL: a base state with fixes, a tree with patches.

    Shows the base's counterexamples, whether each property holds with the fixes, and
    what got worse: a request that the base handles and KERNEL does not.
    """
    interpret_single_requests()
    model = model_of(kernel, patches, settings)
    from bounceproof.report import proofs
    from bounceproof.solver.ask import prove_kernel

    base = base_of(kernel, model, patches)
    domain = domain_of([base, model], options)
    result = prove_kernel(base, model, domain, properties_of(properties), timeout)
    say(proofs.as_json(result) if as_json else proofs.as_text(result))
    return result.exit_code
