# SPDX-License-Identifier: GPL-2.0-only
"""What to put after swiotlb=, checked against the pool and the command line that the
log shows."""

from __future__ import annotations

from typing import Final

from bounceproof.logs.explain import Explanation
from bounceproof.logs.judge.drivers import Sort
from bounceproof.logs.read.course import Trend
from bounceproof.logs.say.words import mib_text
from bounceproof.logs.told.facts import Facts
from bounceproof.logs.told.version import parse_version
from bounceproof.models.constants import IO_TLB_DEFAULT_SLABS, IO_TLB_SHIFT

MOST_SLOTS: Final = (1 << 30) >> IO_TLB_SHIFT
"""1 GiB: what x86 gives a confidential guest at most (arch/x86/mm/mem_encrypt.c), and
about what there is below 4 GiB."""
_DYNAMIC_SINCE: Final = (6, 6)
_MOST_BELIEVED: Final = 1 << 26


def believable(slots: int) -> bool:
    """Whether a pool can have so many slots: less than 128 GiB."""
    return slots < _MOST_BELIEVED


def _power_of_two(slots: int) -> int:
    return 1 << max(slots - 1, 0).bit_length()


def _may_grow(facts: Facts, span_until: tuple[int, int]) -> bool:
    """Whether the kernel is new enough for CONFIG_SWIOTLB_DYNAMIC, or may be."""
    version = parse_version(facts.version or "")
    newest = version[:2] if version is not None else span_until
    return newest >= _DYNAMIC_SINCE


def suggested_slots(explanation: Explanation) -> int | None:
    """Slots to boot with: twice what there is, a power of two, more than the command
    line asks for; None where no such pool is to be had below 4 GiB."""
    total, asked = explanation.pool.total, explanation.facts.asked_slots
    base = total if total else asked or IO_TLB_DEFAULT_SLABS
    slots = _power_of_two(2 * base)
    if asked is not None and asked >= slots:
        return None
    return slots if slots <= MOST_SLOTS else None


def _option(explanation: Explanation, slots: int) -> str:
    """The word for the command line, with the rest of the present one."""
    rest = (explanation.facts.swiotlb_option or "").partition(",")[2]
    if not rest and explanation.facts.swiotlb_option in ("force",):
        rest = "force"
    return f"swiotlb={slots}" + (f",{rest}" if rest else "")


def _where(facts: Facts) -> str:
    if facts.confidential is None:
        return ""
    return (
        " It must lie below 4 GiB, so what the guest gets is what 'software IO TLB:"
        " mapped' shows at the next boot."
    )


def _dynamic(explanation: Explanation) -> str:
    if explanation.facts.dynamic:
        return "CONFIG_SWIOTLB_DYNAMIC is set, and did not add a pool in time"
    if _may_grow(explanation.facts, explanation.span.until):
        return "A kernel with CONFIG_SWIOTLB_DYNAMIC=y adds pools when they are needed"
    return (
        "From v6.6 on a kernel with CONFIG_SWIOTLB_DYNAMIC=y adds pools when they are"
        " needed"
    )


def _fewer(explanation: Explanation) -> str:
    """How to have less in flight."""
    if explanation.sort is Sort.BLOCK:
        return "have less in flight (fewer queues, a lower nr_requests)"
    if explanation.sort in (Sort.NETWORK, Sort.WIRELESS):
        return "have less in flight (shorter rings, fewer queues: ethtool -G, -L)"
    return "have less in flight"


def _no_larger(explanation: Explanation) -> list[str]:
    """Advice where swiotlb= cannot give more."""
    facts, total = explanation.facts, explanation.pool.total
    asked = facts.asked_slots
    if asked is not None and total is not None and asked > total:
        first = (
            f"swiotlb={asked} asks for {mib_text(asked)}, and the kernel found room for"
            f" {mib_text(total)}: no more below 4 GiB, where the pool must lie."
        )
    else:
        size = mib_text(total or asked or MOST_SLOTS)
        first = (
            f"The pool has {size} already, and it must lie below 4 GiB: swiotlb= can"
            " hardly give more."
        )
    return [f"{first} {_dynamic(explanation)}; or {_fewer(explanation)}."]


def _restricted(explanation: Explanation) -> list[str]:
    slots = explanation.pool.total or 0
    return [
        f"Make the device's own pool larger than {mib_text(slots)} where it is defined:"
        f" the restricted-dma-pool node (say {mib_text(2 * slots)}) under"
        " reserved-memory in the device tree, or the hypervisor that writes it."
        " swiotlb= does not reach that pool."
    ]


def larger_pool(explanation: Explanation) -> list[str]:
    """How to give the device more slots, as sentences."""
    if explanation.pool.restricted:
        return _restricted(explanation)
    if not believable(explanation.pool.total or 0):
        return ["No machine has such a pool: look for a line that is not damaged."]
    slots = suggested_slots(explanation)
    if slots is None:
        return _no_larger(explanation)
    lines = [
        f"Boot with {_option(explanation, slots)} ({mib_text(slots)})."
        + _where(explanation.facts)
    ]
    if explanation.pool.total is None:
        lines.append(
            "The message has no totals: 'dmesg | grep \"software IO TLB\"' shows how"
            " large the pool is now."
        )
    if not explanation.facts.dynamic:
        lines.append(f"{_dynamic(explanation)}.")
    return lines


def leaks(explanation: Explanation) -> bool:
    """Whether ``used`` only ever rose, for a minute or more."""
    trend = explanation.event.course.trend(explanation.pool.total)
    return trend is Trend.LEAK
