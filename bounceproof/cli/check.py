# SPDX-License-Identifier: GPL-2.0-only
"""``bounceproof check``."""

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
def check(
    kernel: str,
    properties: tuple[str, ...],
    timeout: float,
    as_json: bool,
    **options: Any,
) -> int:
    """Check the contract of KERNEL.

    An option fixes a field; what is left out ranges over its whole domain.
    """
    interpret_single_requests()
    state = state_of(kernel)
    from bounceproof.report import checks
    from bounceproof.solver.ask import check_state

    domain = domain_of([state], options)
    result = check_state(state, domain, properties_of(properties), timeout)
    click.echo(checks.as_json(result) if as_json else checks.as_text(result))
    return result.exit_code
