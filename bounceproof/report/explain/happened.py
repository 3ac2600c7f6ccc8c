# SPDX-License-Identifier: GPL-2.0-only
"""What happened, in one plain sentence; and the rule behind it."""

from __future__ import annotations

from typing import Final

from bounceproof.logs.explain import Explanation
from bounceproof.logs.judge.cause import certain_room, slots_of
from bounceproof.logs.judge.drivers import Sort
from bounceproof.logs.judge.verdict import Verdict
from bounceproof.logs.read.course import Trend
from bounceproof.logs.read.kinds import Kind
from bounceproof.logs.say.notes import note_of
from bounceproof.logs.say.sizing import believable
from bounceproof.logs.say.words import (
    mib_text,
    sentence,
    short_name,
    size_text,
    slots_text,
    who,
)


def _range(low: int, high: int) -> str:
    return str(low) if low == high else f"{low} to {high}"


def _needs(explanation: Explanation) -> tuple[int, int]:
    """Fewest and most slots that the request takes."""
    least = slots_of(explanation.event.message.sz or 0)
    counts = [n for r in explanation.results for n in r.nslots]
    return (min([least, *counts]), max([least, *counts]))


def _free(explanation: Explanation) -> str:
    """Free slots over the course of the messages."""
    course, total = explanation.event.course, explanation.pool.total or 0
    low, high = max(total - course.most, 0), max(total - course.least, 0)
    return slots_text(low, high)


def pool_size(explanation: Explanation) -> str:
    """The pool's slots and bytes, as far as they can be believed."""
    total = explanation.pool.total
    if total is None:
        return "a pool of a size that the line does not tell"
    size = mib_text(total) if believable(total) else "no machine has so much"
    kind = "restricted pool" if explanation.pool.restricted else "pool"
    return f"a {kind} of {total} slots ({size})"


def _full(explanation: Explanation) -> str:
    name, size = short_name(explanation.event.message), _size(explanation)
    needs = slots_text(*_needs(explanation))
    return (
        f"The pool was full: {name} asked for {size} ({needs}), and"
        f" {_free(explanation)} of {pool_size(explanation)} were free."
    )


def _percent(used: int, total: int) -> str:
    """With one decimal place; 100 is all of it, and nothing less."""
    share = 100 * used / total
    return f"{min(share, 99.9) if used < total else 100:.1f}".removesuffix(".0")


def _nearly(explanation: Explanation) -> str:
    course, total = explanation.event.course, explanation.pool.total or 1
    low, high = _percent(course.least, total), _percent(course.most, total)
    share = low if low == high else f"{low} to {high}"
    return (
        f"The pool was practically full: {share} % of it was in use, and nowhere the"
        f" {slots_text(*_needs(explanation))} together that"
        f" {short_name(explanation.event.message)} asked for."
    )


def _size(explanation: Explanation) -> str:
    return size_text(explanation.event.message.sz or 0)


def _never(explanation: Explanation) -> str:
    name = short_name(explanation.event.message)
    if slots_of(explanation.event.message.sz or 0) <= 128:
        return (
            f"{name} asked for {_size(explanation)}, which could never fit, at no"
            " address and in no pool."
        )
    return (
        f"{name} asked for {_size(explanation)} in one mapping, and one mapping can"
        " have 256 KiB at most, so this could never fit."
    )


def _address(explanation: Explanation) -> str:
    needed = [r.blocked_from for r in explanation.results if r.blocked_from is not None]
    pool, name = explanation.pool, short_name(explanation.event.message)
    if needed and pool.used is not None:
        why = (
            f"with {pool.used} of {pool.total} slots in use the pool was not the cause"
            f" (that takes {min(needed)})"
        )
    else:
        why = "no address that it may have fits, in an empty pool either"
    return (
        f"{name}'s request ({_size(explanation)} after rounding) could never fit at"
        f" its address: {why}."
    )


def _fragmented(explanation: Explanation) -> str:
    needs, name = _needs(explanation), short_name(explanation.event.message)
    wanted = f"the {slots_text(*needs)} together, where they may start,"
    if needs[1] == 1:
        wanted = "a slot at an address of the right low bits"
    return (
        f"The pool was fragmented: {_free(explanation)} were free, but not {wanted}"
        f" that {name} asked for."
    )


def _crowded(explanation: Explanation) -> str:
    return (
        "The pool was full or fragmented: it had no place for the"
        f" {_size(explanation)} that {short_name(explanation.event.message)} asked for;"
        " an empty pool has."
    )


def _boundary(explanation: Explanation) -> str:
    return (
        f"The pool had room ({explanation.pool.free_run()} slots together or more,"
        f" {slots_text(*_needs(explanation))} asked for), so a limit of"
        f" {short_name(explanation.event.message)} itself forbade them: most likely a"
        " DMA segment boundary smaller than the mapping."
    )


def _reach(explanation: Explanation) -> str:
    message = explanation.event.message
    address, reach = message.address or 0, message.reach or 0
    if message.kind is Kind.UNREACHABLE:
        return (
            f"The bounce buffer itself, at {address:#x}, lies beyond what"
            f" {who(message)} can reach (up to {reach:#x})."
        )
    if address + max(message.sz or 1, 1) - 1 <= reach:
        return (
            f"{who(message)} could not map the memory at {address:#x} as it is, though"
            f" it reaches up to {reach:#x}: it would have to bounce (a small kmalloc()"
            " buffer on a device that is not coherent), or is a device's own memory."
        )
    copied = "it could not be copied to where it can"
    if message.until > (5, 5) and not explanation.facts.nslabs:
        copied = "there is no bounce buffer pool to copy it through"
    return (
        f"{who(message)} cannot reach the memory at {address:#x} (it reaches up to"
        f" {reach:#x}), and {copied}."
    )


def _no_pool(explanation: Explanation) -> str:
    return (
        f"{who(explanation.event.message)} needs a bounce buffer, and this kernel has"
        " no pool of them."
    )


def _refused(explanation: Explanation) -> str:
    return (
        "The kernel could not decrypt its pool at boot and took it out of use, so it"
        " looks full from the start."
    )


def _undecided(explanation: Explanation) -> str:
    return (
        "The log does not decide between a pool too full and a request that could never"
        f" fit at its address ({short_name(explanation.event.message)},"
        f" {_size(explanation)})."
    )


_SENTENCES: Final = {
    Verdict.NO_POOL: _no_pool,
    Verdict.NEVER: _never,
    Verdict.ADDRESS: _address,
    Verdict.FULL: _full,
    Verdict.NEARLY: _nearly,
    Verdict.FRAGMENTED: _fragmented,
    Verdict.CROWDED: _crowded,
    Verdict.BOUNDARY: _boundary,
    Verdict.UNREACHABLE: _reach,
    Verdict.REFUSED: _refused,
    Verdict.UNDECIDED: _undecided,
}


def _unexplained(explanation: Explanation) -> str:
    name = short_name(explanation.event.message)
    if certain_room(explanation.event.message.sz or 0, explanation.pool):
        run = explanation.pool.free_run()
        return (
            f"The pool had room when the line was printed ({run} slots together or"
            f" more), and no request of {name} as modelled is refused then."
        )
    if explanation.kernel is None or not explanation.possible:
        return (
            f"No request of {name} that is modelled prints this line: another driver"
            " limit, mask or page size may."
        )
    return (
        f"No request of {name} prints this line in {explanation.kernel}: the running"
        " kernel has other code."
    )


def _pool_failed(explanation: Explanation) -> str:
    """Which sizes the kernel tried, and what it got."""
    event, facts = explanation.event, explanation.facts
    tried = {e.message.sz for e in (event, *event.companions) if e.message.sz}
    sizes = " nor ".join(size_text(size) for size in sorted(tried, reverse=True)[:4])
    what = f"{sizes} for " if sizes else ""
    got = "there is no pool, unless a later line says 'mapped'"
    if facts.nslabs:
        got = f"it has {mib_text(facts.nslabs)} in the end"
    return (
        f"At boot the kernel could not allocate {what}its bounce buffer pool in one"
        f" piece below 4 GiB; {got}."
    )


def happened(explanation: Explanation) -> str:
    """The cause, as one sentence."""
    if explanation.verdict is not None:
        return sentence(_SENTENCES[explanation.verdict](explanation))
    if explanation.sized:
        return _unexplained(explanation)
    if explanation.event.message.kind is Kind.POOL_FAILED:
        return _pool_failed(explanation)
    return note_of(explanation).meaning


_WITH_RULE: Final = (
    Verdict.NEVER,
    Verdict.ADDRESS,
    Verdict.NEARLY,
    Verdict.FRAGMENTED,
    Verdict.CROWDED,
    Verdict.UNDECIDED,
)


def rule(explanation: Explanation) -> str | None:
    """The kernel's rule that the sentence rests on; None where none is needed."""
    if explanation.verdict not in _WITH_RULE:
        return None
    limit = "One mapping can have at most 256 KiB: 128 slots (IO_TLB_SEGSIZE) of 2 KiB"
    if explanation.verdict is Verdict.NEVER:
        times = "in one run, whatever the pool's size"
        return f"{limit}, {times}; this driver asked for {_size(explanation)}."
    if explanation.verdict is Verdict.ADDRESS:
        return (
            f"{limit} in one run, and the bits of the address that the device needs"
            " kept (min_align_mask), or the IOMMU granule, take part of it."
        )
    return (
        f"{limit}, free and in one run; a used slot in each 256 KiB is enough to refuse"
        " the largest mapping."
    )


def _span(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 1:
        return f" within {seconds:.2f} s"
    return (
        f" within {seconds:.0f} s" if seconds < 600 else f" in {seconds / 60:.0f} min"
    )


def course_text(explanation: Explanation) -> str | None:
    """How full the pool was, from the first message to the last."""
    course, total = explanation.event.course, explanation.pool.total
    if not course.count or not total:
        return None
    of = f"{_range(course.least, course.most)} of {total} slots"
    points = course.points()
    first, last = points[0][0], points[-1][0]
    over = _span(course.seconds())
    match course.trend(total):
        case Trend.ONCE:
            return of
        case Trend.STEADY:
            return f"{of}: steady"
        case Trend.LEAK:
            return f"{of}: rose from {first} to {last}{over} and never fell: a leak"
        case Trend.RISE:
            return f"{of}: rose from {first} to {last}{over}: a burst, or a leak begins"
        case Trend.FALL:
            return f"{of}: fell from {first} to {last}{over}"
        case Trend.BURSTS:
            return f"{of}: rose and fell{over}: bursts"


def told_text(explanation: Explanation) -> str | None:
    """The addresses that the lines told, and what they mean."""
    event = explanation.event
    if not event.addresses or not event.companions:
        return None
    address, size = min(event.addresses)
    more = len(event.addresses) - 1
    others = f" and {more} more" if more else ""
    reach = next((c.message.reach for c in event.companions if c.message.reach), None)
    text = f"orig_addr {address:#x}, {size_text(size)}{others}"
    if reach is not None and address + size - 1 > reach:
        text += f"; beyond {reach:#x}, which is why it has to bounce"
    return text


def is_block(explanation: Explanation) -> bool:
    """Whether the driver is a disk's."""
    return explanation.sort is Sort.BLOCK
