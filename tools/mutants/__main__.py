# SPDX-License-Identifier: GPL-2.0-only
"""Ask every mutant of every built-in state who notices it; write docs/mutants.md.

Answers are kept in build/mutants.sqlite as they come, so that a second run asks only
what is missing or what changed sources make doubtful.  A mutant that no property
notices and for which tools/mutants/reasons.py has no reason, or the other way
round, is named on stderr and makes the exit code 1.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from time import monotonic

from bounceproof.audit.store import Store
from bounceproof.models.kernels.state import DECISION_POINTS
from tools.mutants.catch import Noticed
from tools.mutants.study import Study, complaint
from tools.mutants.table import render
from tools.mutants.values import mutants

ROOT = Path(__file__).resolve().parents[2]
KEPT, PAGE = ROOT / "build" / "mutants.sqlite", ROOT / "docs" / "mutants.md"


def main() -> int:
    """Ask what is missing, write the page, and complain."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fresh", action="store_true", help="forget what is known")
    parser.add_argument(
        "--only", action="append", choices=DECISION_POINTS, metavar="POINT",
        help="this decision point alone, and write no page; repeatable",
    )  # fmt: skip
    options = parser.parse_args()
    if options.fresh:
        KEPT.unlink(missing_ok=True)
    started = monotonic()
    wanted = [m for m in mutants() if m.point in (options.only or DECISION_POINTS)]

    def told(noticed: Noticed) -> None:
        took = monotonic() - started
        words = f"{noticed.effect.name} {noticed.prop or ''}"
        print(f"{took:7.1f} s {noticed.mutant.label}: {words}", file=sys.stderr)

    with Store(KEPT) as store:
        answers = Study(store).run(wanted, told)
    if options.only is None:
        PAGE.write_text(render(answers))
    troubles = [text for answer in answers if (text := complaint(answer))]
    print("\n".join(troubles), file=sys.stderr)
    return 1 if troubles else 0


if __name__ == "__main__":
    raise SystemExit(main())
