# SPDX-License-Identifier: GPL-2.0-only
"""``bounceproof invariant``."""

from __future__ import annotations

import click

from bounceproof.cli.help import VERDICTS, ending
from bounceproof.cli.options import device_of, state_of, timeout_option
from bounceproof.cli.output import output_options, show, waiting
from bounceproof.cli.questions import interpret_single_requests
from bounceproof.cli.subjects import is_tree, kernel_options, model_of
from bounceproof.report.formats import Output

POOLS = ("whole", "partial")


@click.command(epilog=ending(VERDICTS, "bounceproof invariant v6.12"))
@click.argument("kernels", nargs=-1, metavar="[KERNEL]...")
@kernel_options
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
@output_options("invariant")
def invariant(
    kernels: tuple[str, ...],
    patches: tuple[str, ...],
    settings: tuple[str, ...],
    pool: str,
    device_name: str,
    timeout: float,
    output: Output,
) -> int:
    """Prove that every history of calls keeps list[] and used right.

    Lemma by lemma, over the loops as each kernel has them, so that what is proved of
    any pool is proved of every pool that calls can make.  KERNEL is a built-in state,
    the latest if none is named, or a tree, of whose own code it is proved.
    """
    interpret_single_requests()
    names = kernels or ("latest",)
    trees = {
        name: model_of(name, patches, settings)
        for name in names
        if is_tree(name) or patches or settings
    }
    states = {name: state_of(name) for name in names if name not in trees}
    device = device_of(device_name)
    from bounceproof.report import invariants as report
    from bounceproof.solver.contract.domain import Domain
    from bounceproof.solver.contract.verdict import exit_code
    from bounceproof.solver.histories.builtin import histories
    from bounceproof.solver.histories.trees import tree_histories
    from bounceproof.solver.lemmas.slots import PoolShape

    shape, domain = PoolShape(pool), Domain(device)
    with waiting() as watch:
        results = [
            histories(states[name], shape, domain, timeout, watch)
            if name in states
            else tree_histories(trees[name], shape, domain, timeout, watch)
            for name in names
        ]
    show(report.answer(results), output)
    return exit_code(result.verdict for result in results)
