# SPDX-License-Identifier: GPL-2.0-only
"""``bounceproof invariant``."""

from __future__ import annotations

import click

from bounceproof.cli.options import device_of, json_option, state_of, timeout_option
from bounceproof.cli.questions import interpret_single_requests
from bounceproof.cli.streams import say

POOLS = ("whole", "partial")


@click.command()
@click.argument("kernels", nargs=-1, metavar="[KERNEL]...")
@click.option(
    "--pool",
    type=click.Choice(POOLS),
    default="whole",
    show_default=True,
    help="Areas of whole slot sets, or one area that ends inside a slot set.",
)
@click.option(
    "--device",
    "device_name",
    default="nvme",
    show_default=True,
    metavar="NAME",
    help="What maps and unmaps; see 'devices'.",
)
@timeout_option
@json_option
def invariant(
    kernels: tuple[str, ...],
    pool: str,
    device_name: str,
    timeout: float,
    as_json: bool,
) -> int:
    """Prove that every history of calls keeps list[] and used right.

    Lemma by lemma, over the loops as each kernel has them, so that what is proved of
    any pool is proved of every pool that calls can make.  KERNEL is a built-in state,
    the latest if none is named.
    """
    interpret_single_requests()
    states = [state_of(name) for name in kernels or ("latest",)]
    device = device_of(device_name)
    from bounceproof.report import invariants as report
    from bounceproof.solver.domain import Domain
    from bounceproof.solver.histories import histories
    from bounceproof.solver.slots import PoolShape
    from bounceproof.solver.verdict import exit_code

    shape, domain = PoolShape(pool), Domain(device)
    results = [histories(state, shape, domain, timeout) for state in states]
    say(report.as_json(results) if as_json else report.as_text(results))
    return exit_code(result.verdict for result in results)
