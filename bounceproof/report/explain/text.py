# SPDX-License-Identifier: GPL-2.0-only
"""The answer as text that pastes into a mail: what happened, what to do, then a block
for each driver and size."""

from __future__ import annotations

from bounceproof.logs.explain import Explanation
from bounceproof.logs.judge.verdict import Verdict
from bounceproof.logs.narrow import Span
from bounceproof.logs.read.scan import Scan
from bounceproof.logs.say.advice import advice_for
from bounceproof.logs.say.lookups import lookups_for
from bounceproof.logs.say.notes import Note, note_of
from bounceproof.logs.say.words import mib_text, size_text, who
from bounceproof.logs.told.facts import Facts
from bounceproof.models.catalog import FIXES
from bounceproof.models.request import KernelModel
from bounceproof.report.explain.arithmetic import arithmetic
from bounceproof.report.explain.happened import course_text, happened, rule, told_text
from bounceproof.report.explain.kernels import fix_text, kernel_text
from bounceproof.report.judged import judged_text
from bounceproof.report.text import title, wrap

MOST_FIXES = 4


def _field(name: str, text: str | None) -> list[str]:
    return [wrap(text, f"  {name:<9}", " " * 11)] if text else []


def _bullets(heading: str, items: list[str]) -> list[str]:
    if not items:
        return []
    return [f"  {heading}", *(wrap(item, "    - ", "      ") for item in items)]


def _head(explanation: Explanation) -> str:
    message = explanation.event.message
    size = f", {size_text(message.sz)}" if explanation.sized and message.sz else ""
    return (
        f"{who(message)}{size}" if message.device else f"line {explanation.event.line}"
    )


def _seen(explanation: Explanation) -> str:
    event = explanation.event
    times = "once, line" if event.count == 1 else f"{event.count} times from line"
    kept = explanation.facts.suppressed
    more = f"; the rate limit held {kept} more lines back" if kept else ""
    return f"{times} {event.line}{more}"


def pool_text(facts: Facts) -> str | None:
    """The default pool of a boot; None where the log says nothing of it."""
    if not facts.nslabs:
        return None
    areas = ""
    if facts.nareas:
        areas = f" in {facts.nareas} area" + ("s" if facts.nareas > 1 else "")
    where = f", at {facts.pool_start:#x}" if facts.pool_start is not None else ""
    return f"{mib_text(facts.nslabs)} ({facts.nslabs} slots){areas}{where}"


def _pool(explanation: Explanation) -> str | None:
    default = pool_text(explanation.facts)
    if default and explanation.pool.restricted:
        return f"its own, restricted; the default one is {default}"
    return default


def _also(explanation: Explanation) -> str | None:
    if explanation.fullest is None or explanation.event.course.count < 2:
        return None
    verdicts = {
        Verdict.FULL: "at its fullest the pool had too few free slots as well",
        Verdict.NEARLY: "at its fullest the pool was practically full as well",
    }
    return verdicts.get(explanation.fullest)


def _fixes(explanation: Explanation) -> list[str]:
    lines = [fix_text(trial) for trial in explanation.fixes[:MOST_FIXES]]
    more = len(explanation.fixes) - MOST_FIXES
    if more > 0:
        lines.append(f"and {more} more (--json)")
    if explanation.first_release is not None:
        lines.append(
            f"{explanation.first_release}: first built-in release in which every such"
            " request fits and keeps its alignment"
        )
    return _bullets("Fixes in the kernel:", lines)


def _versions(explanation: Explanation, note: Note) -> str:
    """The releases that print this form, as far as it excludes any."""
    message = explanation.event.message
    span = Span(message.since, message.until)
    return note.versions if span.open or note.advice else span.text


def _note(explanation: Explanation) -> list[str]:
    if explanation.sized:
        return []
    note = note_of(explanation)
    fixes = []
    for name in note.fixes:
        origin = FIXES[name].origin
        commit = origin.commit[:12] or name
        fixes.append(f"{commit}: {origin.summary} ({origin.release})")
    return [
        *_field("printed", f"by {_versions(explanation, note)}"),
        *_bullets("Fixes in the kernel:", fixes),
    ]


def _told_here(explanation: Explanation) -> list[str]:
    """The sentences, where they are not at the head of the answer."""
    return [
        *_field("what", happened(explanation)),
        *_field("do", advice_for(explanation)[0]),
        *_field("rule", rule(explanation)),
    ]


def block(
    explanation: Explanation, first: bool, verbose: bool, kernel_named: bool
) -> list[str]:
    """One explanation as lines of at most 75 columns; ``first``: its sentences are at
    the head of the answer."""
    message = explanation.event.message
    lines = title(_head(explanation))
    lines += [] if first else _told_here(explanation)
    lines += _field("line", message.text)
    if message.cut:
        lines.append("           (cut in the middle; what is left is used)")
    lines += _field("seen", _seen(explanation))
    lines += _field("used", course_text(explanation))
    lines += _field("pool", _pool(explanation))
    lines += _field("also", _also(explanation))
    lines += _field("told", told_text(explanation))
    if explanation.sized:
        lines += _field("kernel", kernel_text(explanation, kernel_named))
    lines += _note(explanation)
    lines += _bullets("Also:", advice_for(explanation)[1:])
    lines += _fixes(explanation)
    lookups = lookups_for(explanation, kernel_named)
    lines += _bullets(
        "Look up:", [f"{k.what}: {k.how}. Why: {k.why}." for k in lookups]
    )
    if verbose and explanation.sized:
        lines += arithmetic(explanation)
    return [*lines, ""]


def _main(explanations: list[Explanation]) -> Explanation:
    """The one to speak of first: a failure rather than a remark, the commonest."""
    return max(
        explanations, key=lambda e: (e.sized, e.verdict is not None, e.event.count)
    )


def _sentences(explanation: Explanation) -> list[str]:
    advice = advice_for(explanation)
    lines = [wrap(happened(explanation)), wrap(advice[0])]
    told = rule(explanation)
    return [*lines, *([wrap(f"Rule: {told}")] if told else []), ""]


def _restricted(facts: Facts) -> str:
    pools = ", ".join(
        f"{mib_text(slots)} at {base:#x}" for base, slots in facts.restricted[:8]
    )
    return f"Restricted pools: {pools}." if pools else ""


def _quiet(scan: Scan) -> list[str]:
    """A log without a failure, of which the pool is known."""
    facts = next(f for f in reversed(scan.boots) if f.pool_known)
    pool = pool_text(facts)
    default = f"the pool is {pool}." if pool else "no size of the default pool is told."
    lines = [wrap(f"No failure here; {default}")]
    if facts.restricted:
        lines.append(wrap(_restricted(facts)))
    asked = facts.asked_slots
    if asked is not None and facts.nslabs is not None and asked > facts.nslabs:
        lines.append(
            wrap(
                f"swiotlb={asked} asked for more: the kernel found no room below 4 GiB,"
                " or rounded."
            )
        )
    return lines


def _remarks(scan: Scan, explanations: list[Explanation]) -> list[str]:
    lines = []
    left = len(scan.seen) - len(explanations)
    if left > 0:
        lines.append(f"{left} more kinds of message come less often; left out here.")
    if scan.dropped:
        lines.append(
            f"{scan.dropped} lines of messages that came too seldom to be told apart"
            " are left out."
        )
    if scan.cut_lines:
        cut = ", ".join(str(line) for line in scan.cut_lines[:8])
        lines.append(f"Cut in the middle: line {cut}.")
    if scan.ends_early:
        lines.append(f"Not read to its end: {scan.ends_early}.")
    return [wrap(line) for line in lines]


def render_text(
    scan: Scan,
    explanations: list[Explanation],
    model: KernelModel | None = None,
    verbose: bool = False,
) -> str:
    """The whole answer."""
    lines = [] if model is None else judged_text([model])
    if not explanations:
        return "\n".join([*lines, *_quiet(scan), *_remarks(scan, [])])
    main = _main(explanations)
    lines += _sentences(main)
    for e in explanations:
        lines += block(e, e is main, verbose, model is not None)
    lines += _remarks(scan, explanations)
    return "\n".join(lines).rstrip()
