# SPDX-License-Identifier: GPL-2.0-only
"""``bounceproof capacity``."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

import click

from bounceproof.cli.help import VERDICTS, ending
from bounceproof.cli.mixes import read_traced
from bounceproof.cli.options import (
    NUMBER,
    device_of,
    json_option,
    option_error,
    timeout_option,
)
from bounceproof.cli.output import waiting
from bounceproof.cli.streams import say
from bounceproof.cli.subjects import kernel_options, model_of, require_tree
from bounceproof.errors import InputError
from bounceproof.library.mixes import (
    Place,
    check_groups,
    check_machine,
    group_of,
    pool_of,
    within,
)
from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.capacity.boot import guest_pool, power_above
from bounceproof.models.request import KernelModel, Path
from bounceproof.models.requests.validate import BadInput

if TYPE_CHECKING:
    from bounceproof.audit.expectation import Load
    from bounceproof.audit.traced import Traced
    from bounceproof.models.capacity.mix import Group
    from bounceproof.report.capacity_expected import Expectations
    from bounceproof.solver.capacity.answer import Answer
    from bounceproof.solver.capacity.asked import Asked


def _mix(
    model: KernelModel, options: dict[str, Any], specs: tuple[str, ...]
) -> tuple[tuple[Group, ...], Traced | None]:
    """The mix, and the trace that it is of, if it is."""
    device, name = device_of(options["device_name"]), options["trace"]
    page, path = options["page_size"], Path(options["path"])
    place = Place(page, path, options["granule"], options["min_align_mask"])
    if name is not None:
        if specs:
            raise InputError(f"--trace '{name}': and --mapping as well")
        cell = place.cell(model, device)
        how = (options["trace_format"], options["depth"], options["offset"])
        limit = model.max_mapping_size(cell)
        read = read_traced(name, *how, cell, device, limit)
        check_groups(read.groups, "trace", f"'{name}'")
        return read.groups, read
    factor = within("queues", options["queues"], 1, 1 << 16)
    factor *= within("depth", options["depth"] or 1, 1, 1 << 16)
    groups = tuple(group_of(model, spec, device, place, factor) for spec in specs)
    check_groups(groups, "mapping")
    return groups, None


@click.command(
    epilog=ending(
        {**VERDICTS, 0: "the mix always succeeds in this pool", 1: "it can fail"},
        "bounceproof capacity v6.12 --mapping 128K@0:64 --cpus 4",
    )
)
@click.argument("kernel")
@kernel_options
@click.option(
    "--mapping",
    "mappings",
    multiple=True,
    metavar="SPEC",
    help="[DEVICE/]SIZE[-SIZE][@ADDRESS][:COUNT]: at most COUNT live mappings of "
    "these sizes; ADDRESS within a page, any if left out; DEVICE may be 'alloc'.",
)
@click.option("--queues", type=NUMBER, default=1, help="Times as many mappings.")
@click.option(
    "--depth",
    type=NUMBER,
    help="Times as many again; of a trace without "
    "unmaps, the live mappings of a device.",
)
@click.option(
    "--trace",
    metavar="FILE|-",
    help="The mix of a trace, and its history: "
    "blkparse text, fio JSON or lines of swiotlb_bounced.",
)
@click.option(
    "--trace-format",
    type=click.Choice(["blkparse", "fio", "swiotlb"]),
    help="What the trace is, where it does not show.",
)
@click.option(
    "--offset",
    type=NUMBER,
    help="Where in a page the trace's buffers start; where it says, or anywhere.",
)
@click.option(
    "--device",
    "device_name",
    default="nvme",
    metavar="NAME",
    help="What maps; see 'devices'.",
)
@click.option(
    "--path",
    type=click.Choice([p.value for p in Path]),
    default="direct",
    help="The way into swiotlb.",
)
@click.option("--page-size", type=NUMBER, default=4096, help="PAGE_SIZE in bytes.")
@click.option("--granule", type=NUMBER, help="IOVA granule in bytes.")
@click.option("--min-align-mask", type=NUMBER, help="The device's min_align_mask.")
@click.option("--pool-start", type=NUMBER, help="Physical address of the pool.")
@click.option("--nslabs", type=NUMBER, help="Slots in the pool.")
@click.option("--nareas", type=NUMBER, help="Areas in the pool.")
@click.option("--swiotlb", metavar="SLOTS,AREAS", help="The kernel's parameter.")
@click.option(
    "--memory",
    type=NUMBER,
    help="Memory of a guest that is encrypted: the "
    "pool that its kernel takes by itself.",
)
@click.option("--cpus", type=NUMBER, default=1, help="Possible CPUs.")
@click.option("--restricted", is_flag=True, help="The device's own restricted pool.")
@click.option("--expect", is_flag=True, help="Also run random histories.")
@click.option("--rate", type=float, help="Find the pool for this failure rate.")
@click.option(
    "--busy",
    type=float,
    default=0.9,
    show_default=True,
    help="The part of its time that a queue entry is mapped.",
)
@click.option(
    "--calls",
    type=NUMBER,
    default=1_000_000,
    show_default=True,
    help="Calls for each pool size.",
)
@click.option("--seed", type=NUMBER, default=1, help="Of the random histories.")
@click.option(
    "--plot",
    "plot_file",
    metavar="FILE.svg|FILE.png",
    help="Draw failure rate against pool size.",
)
@click.option(
    "--history-out",
    metavar="FILE",
    help="Write the history after which one mapping too many fails; 'simulate "
    "--history' runs it.",
)
@click.option(
    "--native",
    is_flag=True,
    help="Compile the tree's own functions and run histories on them; executes its "
    "code.",
)
@timeout_option
@json_option
def capacity(
    kernel: str,
    patches: tuple[str, ...],
    settings: tuple[str, ...],
    mappings: tuple[str, ...],
    timeout: float,
    as_json: bool,
    **options: Any,
) -> int:
    """What a pool of KERNEL carries, whatever came before, and how large it must be.

    Says how many mappings always succeed at once and whether a mix does, with a history
    that shows where it ends; the least swiotlb= that guarantees the mix; and with
    --expect, --rate or --plot what random histories do in pools of many sizes.
    """
    from bounceproof.solver.capacity.asked import Asked, has_areas

    model = model_of(kernel, patches, settings)
    try:
        check_machine(model, options)
        load = _load(options)
        groups, trace = _mix(model, options, mappings)
        pool = pool_of(options, single := not has_areas(model))
    except BadInput as error:
        raise option_error(error) from None
    if options["native"]:
        require_tree(model)
    place = (options["pool_start"], options["native"])
    asked = Asked(model, groups, pool.nslabs, pool.nareas, *place)
    return _answer(asked, trace, single, load, options, timeout, as_json)


def _load(options: dict[str, Any]) -> Load | None:
    """How random histories are to be, None where none are asked for."""
    wanted = (options["expect"], options["rate"] is not None, options["plot_file"])
    if not any(wanted):
        return None
    from bounceproof.audit.expectation import Load, check_rate
    from bounceproof.report.capacity_expected import check_plot

    busy = options["busy"]
    if not 0 < busy < 1:
        raise InputError(f"--busy {busy}: not between 0 and 1")
    calls = within("calls", options["calls"], 1000, 10**9)
    seed = within("seed", options["seed"], 0, (1 << 31) - 1)
    load = Load(options["cpus"], busy, calls, seed)
    if options["rate"] is not None:
        check_rate(options["rate"], load)
    if options["plot_file"]:
        check_plot(options["plot_file"])
    return load


def _answer(
    asked: Asked,
    trace: Traced | None,
    single: bool,
    load: Load | None,
    options: dict[str, Any],
    timeout: float,
    as_json: bool,
) -> int:
    from bounceproof.report import capacity as report
    from bounceproof.solver.capacity.answer import answer
    from bounceproof.solver.contract.verdict import exit_code

    cpus, restricted = options["cpus"], options["restricted"]
    areas = 1 if single or restricted else power_above(cpus)
    with waiting() as status:
        found = answer(asked, areas, restricted, timeout, status)
        expected = _expected(found, trace, load, options, areas, status)
    if options["history_out"]:
        _write(options["history_out"], report.history_json(found))
    guest = None
    if options["memory"] is not None:
        guest = guest_pool(options["memory"], cpus, single)
    if as_json:
        say(report.as_json(found, expected, guest))
    else:
        told = "" if guest is None else report.guest_text(options["memory"], guest)
        say(report.as_text(found, cpus, single, expected, told))
    return exit_code([found.verdict])


def _write(name: str, text: str | None) -> None:
    if text is None:
        raise InputError(f"--history-out '{name}': no history was found to write")
    try:
        FilePath(name).write_text(text, encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"--history-out '{name}': {reason}") from None


def _expected(
    found: Answer,
    trace: Traced | None,
    load: Load | None,
    options: dict[str, Any],
    areas: int,
    status: Any,
) -> Expectations | None:
    model = found.asked.model
    if load is None or not found.carried:
        return None
    if not isinstance(model, BuiltinKernel):
        raise InputError(f"--expect: {model.name} is a tree; ask a built-in kernel")
    from bounceproof.audit.expectation import expect, sizes, smallest
    from bounceproof.audit.traced import expect_history
    from bounceproof.report.capacity_expected import Expectations, plot

    least = found.carried[0].least.pool
    around = found.asked.nslabs if least is None else least.nslabs
    groups, pools = found.asked.groups, sizes(areas, around, options["restricted"])
    history = trace if trace is not None and trace.trace.events else None
    rows = tuple(
        expect(model.state, groups, pool, load)
        if history is None
        else expect_history(model.state, history, pool)
        for pool in pools
    )
    rate, enough = options["rate"], None
    if rate is not None:
        tried = list(smallest(model.state, groups, load, rate, areas))
        enough = tried[-1] if tried and tried[-1].total.high <= rate else None
    source = "random" if history is None else f"the trace {options['trace']}"
    of_load = load if history is None else None
    expected = Expectations(rows, of_load, source, rate, enough)
    if options["plot_file"]:
        plot(expected, None if least is None else least.bytes, options["plot_file"])
    return expected
