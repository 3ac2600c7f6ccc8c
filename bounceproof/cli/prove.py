# SPDX-License-Identifier: GPL-2.0-only
"""``bounceproof prove``."""

from __future__ import annotations

from typing import Any

import click

from bounceproof.cli.options import json_option, request_options, state_of
from bounceproof.cli.questions import (
    domain_of,
    interpret_single_requests,
    properties_of,
    question_options,
)


@click.command()
@click.argument("kernel")
@request_options
@question_options
@json_option
def prove(
    kernel: str,
    properties: tuple[str, ...],
    timeout: float,
    as_json: bool,
    **options: Any,
) -> int:
    """Prove the contract of KERNEL, a base state with fixes.

    Shows the base's counterexamples, whether each property holds with the fixes, and
    what got worse: a request that the base handles and KERNEL does not.
    """
    interpret_single_requests()
    state = state_of(kernel)
    from bounceproof.models.catalog import base_state
    from bounceproof.report import proofs
    from bounceproof.solver.ask import prove_state

    base = base_state(kernel)
    domain = domain_of([base, state], options)
    result = prove_state(base, state, domain, properties_of(properties), timeout)
    click.echo(proofs.as_json(result) if as_json else proofs.as_text(result))
    return result.exit_code
