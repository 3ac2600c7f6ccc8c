# SPDX-License-Identifier: GPL-2.0-only
"""What to expect of pools of many sizes, as a table, as JSON and as a plot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from bounceproof.errors import InputError
from bounceproof.report.text import size_text, wrap

if TYPE_CHECKING:
    from bounceproof.audit.estimates import Rate
    from bounceproof.audit.expectation import Expected, Load

SUFFIXES = (".svg", ".png")


@dataclass(frozen=True, slots=True)
class Expectations:
    """``rows``: what was seen of each pool; ``load``: of what, None for a trace.

    ``rate``: the failure rate that was asked for; ``enough``: the least pool that has
    it.
    """

    rows: tuple[Expected, ...]
    load: Load | None
    source: str
    rate: float | None = None
    enough: Expected | None = None


def _rate(value: float) -> str:
    return "0" if value == 0 else f"{value:.2e}"


def _row(found: Expected) -> str:
    total, pool = found.total, found.pool
    return (
        f"  {size_text(pool.bytes):>8}  {pool.nslabs:>8},{pool.nareas:<4} "
        f"{_rate(total.rate):>9}  {_rate(total.low):>8} to {_rate(total.high):<8}  "
        f"{100 * found.peak / pool.nslabs:5.1f} %"
    )


def _about(expected: Expectations) -> str:
    load = expected.load
    if load is None:
        return (
            f"{expected.source}, run again on each pool; intervals of 95 %, from "
            f"stretches of the trace."
        )
    return (
        f"Random histories: {load.calls} calls each after a start, {load.cpus} CPUs, "
        f"queue entries mapped {100 * load.busy:.0f} % of their time; an entry whose "
        f"mapping fails tries again. Intervals of 95 %, from 20 runs (seed "
        f"{load.seed})."
    )


def expectations_text(expected: Expectations, single: bool) -> list[str]:
    """The table, and the pool for a rate that was asked for."""
    head = (
        f"  {'pool':>8}  {'slots,areas':<13} {'failures':>9}  "
        f"{'95 % interval':<20}  most used"
    )
    lines = ["What to expect:", wrap(_about(expected), "  "), "", head.rstrip()]
    lines += [_row(found) for found in expected.rows]
    if expected.rate is not None:
        lines += ["", wrap(_enough(expected, single), "  ")]
    return [*lines, ""]


def _enough(expected: Expectations, single: bool) -> str:
    asked, found = f"a failure rate of {expected.rate:g}", expected.enough
    if found is None:
        return f"No pool that was tried has surely {asked}."
    pool = found.pool
    size = f"{pool.nslabs}" if single else f"{pool.nslabs},{pool.nareas}"
    return (
        f"For {asked}, with 95 % confidence: {size_text(pool.bytes)}, swiotlb={size}. "
        f"That is expected of these histories, not guaranteed."
    )


def _rate_json(rate: Rate) -> dict[str, Any]:
    return {
        "attempts": rate.attempts,
        "failures": rate.failures,
        "rate": rate.rate,
        "low": rate.low,
        "high": rate.high,
    }


def _expected_json(found: Expected) -> dict[str, Any]:
    pool = found.pool
    return {
        "nslabs": pool.nslabs,
        "nareas": pool.nareas,
        "bytes": pool.bytes,
        "total": _rate_json(found.total),
        "groups": [_rate_json(rate) for rate in found.groups],
        "peak_slots": found.peak,
    }


def expectations_json(expected: Expectations) -> dict[str, Any]:
    """The same as JSON."""
    load = expected.load
    return {
        "source": expected.source,
        "calls": None if load is None else load.calls,
        "cpus": None if load is None else load.cpus,
        "busy": None if load is None else load.busy,
        "seed": None if load is None else load.seed,
        "confidence": 0.95,
        "pools": [_expected_json(found) for found in expected.rows],
        "rate": expected.rate,
        "enough": None if expected.enough is None else _expected_json(expected.enough),
    }


def check_plot(name: str) -> None:
    """InputError where no plot can be written there, before work is done."""
    path = FilePath(name)
    if path.suffix not in SUFFIXES:
        raise InputError(f"--plot '{name}': not a name that ends with .svg or .png")
    if not path.parent.is_dir():
        raise InputError(f"--plot '{name}': no such folder")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise InputError(
            f"--plot '{name}': needs matplotlib: pip install 'bounceproof[plot]'"
        ) from None


def plot(expected: Expectations, guaranteed: int | None, name: str) -> None:
    """Draw failure rate against pool size to ``name``, .svg or .png.

    ``guaranteed``: bytes of the pool that is guaranteed.  Raises InputError where the
    file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    canvas = FigureCanvasSVG if name.endswith(".svg") else FigureCanvasAgg
    canvas(figure)
    _draw(figure.add_subplot(), expected, guaranteed)
    try:
        figure.savefig(
            name,
            dpi=120,
            metadata={"Date": None}
            if name[-1] == "g" and name.endswith(".svg")
            else None,
        )
    except OSError as error:
        raise InputError(f"--plot '{name}': {error.strerror}") from None


def _draw(axes: Any, expected: Expectations, guaranteed: int | None) -> None:
    rows = expected.rows
    sizes = [found.pool.bytes / (1 << 20) for found in rows]
    rates = [found.total.rate for found in rows]
    below = [found.total.rate - found.total.low for found in rows]
    above = [found.total.high - found.total.rate for found in rows]
    axes.errorbar(
        sizes,
        rates,
        yerr=(below, above),
        marker="o",
        capsize=3,
        label="seen, 95 % interval",
    )
    least = min((found.total.high for found in rows), default=1e-6)
    axes.set_xscale("log", base=2)
    axes.set_yscale("symlog", linthresh=max(least, 1e-9))
    axes.set_ylim(bottom=0)
    axes.set_xticks(sizes, [f"{size:g}" for size in sizes])
    axes.minorticks_off()
    if guaranteed is not None:
        where = guaranteed / (1 << 20)
        axes.axvline(
            where, linestyle="--", color="black", label=f"guaranteed: {where:g} MiB"
        )
    if expected.rate is not None:
        axes.axhline(
            expected.rate,
            linestyle=":",
            color="grey",
            label=f"asked for: {expected.rate:g}",
        )
    axes.set_xlabel("pool, MiB")
    axes.set_ylabel("mappings that fail, of those tried")
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
