# SPDX-License-Identifier: GPL-2.0-only
"""The study as a page: what kills which mutant, and why the rest survive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from bounceproof.models.contract import Property
from bounceproof.models.kernels.releases import RELEASES
from tools.mutants.catch import Noticed
from tools.mutants.cells import MASKS
from tools.mutants.effect import Effect
from tools.mutants.reasons import REASONS, Reason, reason_of

EFFECTS = (Effect.BREAKS, Effect.MENDS, Effect.WORSE, Effect.BETTER)
_HEAD = """<!-- SPDX-License-Identifier: GPL-2.0-only -->
# Which property kills which mutant

Every decision point of every built-in kernel state, changed to every other value it
can have: {count} mutants of {states} states ({alike} when states that are alike count
once). For `nvme_max_kb` the values are those of the built-in states, half the least
and twice the largest. `tools/mutation-study` computes this page.

A property kills a mutant where a request breaks it in one of the two kernels, the
state and its mutant, and not in the other; a request that a driver does not send, or
on a path that a kernel lacks, breaks nothing. Each case is confirmed by the simulator
on both kernels. The property named is the first that is found, over configurations in
this order: NVMe with every page size, granule and path, then a generic device on PCI
with the smallest and largest pages and granules, coherent allocations included, with
each of the masks {masks}. A property that no formula puts to a mutant is
passed over there. Once one is found, no other is looked for.

* **breaks**: the state holds in that configuration, proved; the mutant is broken.
* **fixes**: the state is broken in that configuration; the mutant holds, proved.
* **worse**: a request breaks it in the mutant alone.
* **better**: a request breaks it in the state alone.

A mutant that survives is proved to: no formula of any configuration reads the decision
point, or all are the same terms, or the solver finds no request that tells the two
apart.
"""


def render(answers: list[Noticed]) -> str:
    """The page as markdown, the same for the same answers."""
    count = sum(len(a.mutant.names) for a in answers)
    head = _HEAD.format(
        count=count,
        states=len(RELEASES),
        alike=len(answers),
        masks=", ".join(f"{mask:#x}" for mask in sorted(MASKS)),
    )
    parts = (_totals(answers), _decisions(answers), _unnoticed(answers))
    return "\n".join([head, *parts])


def _row(*cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _heading(*cells: str) -> list[str]:
    return [_row(*cells), "|" + "---|" * len(cells)]


def _totals(answers: list[Noticed]) -> str:
    lines = ["## By property", ""]
    lines += _heading("property", *(e.word for e in EFFECTS))
    seen = Counter[tuple[Property | None, Effect]]()
    for answer in answers:
        seen[answer.prop, answer.effect] += len(answer.mutant.names)
    for prop in Property:
        lines.append(_row(f"`{prop}`", *(seen[prop, e] or "" for e in EFFECTS)))
    outcome, nothing = seen[None, Effect.OUTCOME], seen[None, Effect.NOTHING]
    lines += [
        "",
        f"{outcome + nothing} survive: {outcome} change an outcome, "
        f"{nothing} change nothing that is asked.",
        "",
    ]
    return "\n".join(lines)


def _noticed_by(answers: Iterable[Noticed]) -> str:
    counts: dict[Property, Counter[Effect]] = {}
    for answer in answers:
        if answer.prop is not None:
            kinds = counts.setdefault(answer.prop, Counter())
            kinds[answer.effect] += len(answer.mutant.names)
    return "; ".join(
        f"`{prop}` " + ", ".join(f"{kinds[e]} {e.word}" for e in EFFECTS if kinds[e])
        for prop, kinds in sorted(
            counts.items(), key=lambda pair: [*Property].index(pair[0])
        )
    )


def _not_noticed(answers: Iterable[Noticed]) -> str:
    counts = Counter[str]()
    for answer in answers:
        if not answer.effect.caught:
            reason = reason_of(answer.mutant)
            name = "no reason" if reason is None else f"[{reason.name}](#{reason.name})"
            counts[name] += len(answer.mutant.names)
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _decisions(answers: list[Noticed]) -> str:
    lines = ["## By decision point", ""]
    lines += _heading("decision point", "becomes", "mutants", "killed by", "survived")
    rows: dict[tuple[str, str], list[Noticed]] = {}
    for answer in answers:
        rows.setdefault((answer.mutant.point, answer.mutant.now), []).append(answer)
    for (point, value), group in rows.items():
        count = sum(len(a.mutant.names) for a in group)
        told = _noticed_by(group), _not_noticed(group)
        lines.append(_row(f"`{point}`", f"`{value}`", count, *told))
    return "\n".join([*lines, ""])


def _unnoticed(answers: list[Noticed]) -> str:
    lines = ["## Survivors", ""]
    for reason in REASONS:
        mine = [a for a in answers if reason_of(a.mutant) is reason]
        lines += [f'<a id="{reason.name}"></a>', f"### {reason.name}", ""]
        lines += [*_wrapped(reason.why), ""]
        lines += [f"* {line}" for line in _changes(mine)]
        lines += [*_example(reason, mine), ""]
    return "\n".join(lines)


def _changes(answers: list[Noticed]) -> list[str]:
    """Each decision point and value with the states it changes."""
    found: dict[tuple[str, str], list[str]] = {}
    for answer in answers:
        key = (answer.mutant.point, answer.mutant.now)
        found.setdefault(key, []).extend(answer.mutant.names)
    order = [state.name for state in RELEASES]
    return [
        f"`{point}` becomes `{value}`: {', '.join(sorted(names, key=order.index))}"
        for (point, value), names in found.items()
    ]


def _example(reason: Reason, answers: list[Noticed]) -> list[str]:
    """A request that goes otherwise, where outcomes differ."""
    for answer in answers:
        cell, point = answer.cell, answer.point
        if cell is not None and point is not None:
            where = f"path {cell.path}, page {cell.page_size}"
            if cell.path.has_granule:
                where += f", granule {cell.granule}"
            text = (
                f"For example {answer.mutant.names[0]} with `{answer.mutant.point}` "
                f"`{answer.mutant.now}`: {point['size']} bytes at "
                f"{point['orig_addr']:#x}, {where}, min_align_mask "
                f"{cell.min_align_mask:#x}, device {answer.device}."
            )
            return ["", *_wrapped(text)]
    return []


def _wrapped(text: str) -> list[str]:
    lines = [""]
    for piece in text.split():
        if lines[-1] and len(lines[-1]) + len(piece) >= 88:
            lines.append("")
        lines[-1] += f" {piece}" if lines[-1] else piece
    return lines
