# SPDX-License-Identifier: GPL-2.0-only
"""``python -m tools.c_mutants``: list, judge, ask and compare mutants of kernel trees.

TREE is NAME=PLACE, a name for tables and a directory or archive: 6.12=~/linux-6.12.
Truths and answers are kept in build/c-mutants.sqlite: a run goes on where it was
stopped.  The exit code is 1 where an answer was wrong.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from itertools import islice
from pathlib import Path as File

from bounceproof.source.errors import SourceError
from bounceproof.source.kernel.kernel import SourceKernel
from bounceproof.source.tree.tree import open_tree
from tools.c_mutants.compare import Row, bad
from tools.c_mutants.generate import Generator, Mutant
from tools.c_mutants.store import Store
from tools.c_mutants.study import Study, patched
from tools.c_mutants.table import page
from tools.c_mutants.truth import EFFORT, Compiler, Judged

ROOT = File(__file__).resolve().parents[2]
PACKAGED = {
    name: f"build/kernels/linux-source-{name}.tar.xz" for name in ("6.1", "6.12", "7.3")
}


def _trees(given: list[str]) -> list[tuple[str, str]]:
    pairs = [tree.split("=", 1) for tree in given]
    if not pairs:
        return [(n, str(ROOT / p)) for n, p in PACKAGED.items() if (ROOT / p).exists()]
    return [(name, str(File(place).expanduser())) for name, place in pairs]


def _list(options: argparse.Namespace) -> int:
    """Print mutants as patches."""
    for name, place in _trees(options.tree):
        generator = Generator(SourceKernel(open_tree(place)), name, options.seed)
        for number, mutant in enumerate(islice(generator, options.many)):
            print(f"# {name} {number}: {mutant.kind}, {mutant.function}")
            print(mutant.patch)
    return 0


def _truth(options: argparse.Namespace) -> int:
    """Print what the compiled code of trees, or of a patched one, shows."""
    for name, place in _trees(options.tree):
        base = SourceKernel(open_tree(place))
        kernel = patched(place, options.patch) if options.patch else base
        for truth in Judged(kernel, Compiler(base)).truths(options.effort):
            print(f"{name} {truth.where}: limit {truth.limit}, {truth.calls} calls")
            for shown in truth.shown:
                sure = "" if shown.sure else " (debatable)"
                print(f"  {shown.prop}{sure}: {shown.text}, {shown.request}")
    return 0


def _keep_sample(folder: File, mutant: Mutant, rows: list[Row]) -> None:
    for row in bad(rows):
        words = f"{mutant.kind} {row.outcome} {row.prop}".replace(",", "").split()
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{'-'.join(words)}-{mutant.tree}-{row.number}.patch"
        path.write_text(mutant.patch, "utf-8", "surrogateescape")


def _run(options: argparse.Namespace) -> int:
    """Compare, and write the table."""
    rows: list[Row] = []
    with Store(options.store) as store:
        for name, place in _trees(options.tree):
            started = time.monotonic()

            def told(text: str, since: float = started) -> None:
                print(f"{time.monotonic() - since:7.1f} s {text}", file=sys.stderr)

            study = Study(place, name, store, options.seed, options.effort, told)
            for mutant, found in study.compare(options.many, options.brief):
                rows += found
                if options.samples:
                    _keep_sample(options.samples, mutant, found)
    text = page(rows)
    if options.page:
        options.page.write_text(text)
    print(text)
    return 1 if any(True for _ in bad(rows)) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.c_mutants")
    ways = parser.add_subparsers(required=True)
    for name, function in (("list", _list), ("truth", _truth), ("run", _run)):
        way = ways.add_parser(name, help=function.__doc__)
        way.set_defaults(function=function)
        way.add_argument("tree", nargs="*", metavar="TREE")
        way.add_argument("--seed", type=int, default=1)
        way.add_argument("--many", type=int, default=400, help="mutants of each tree")
        way.add_argument("--effort", type=int, default=EFFORT)
        way.add_argument("--patch", type=File, help="judge the tree with this on top")
        way.add_argument(
            "--brief",
            action="store_true",
            help="ask one cell, what is quick there and what changed",
        )
        way.add_argument("--page", type=File, help="write the table to this file")
        way.add_argument("--samples", type=File, help="keep patches answered wrongly")
        kept = ROOT / "build" / "c-mutants.sqlite"
        way.add_argument("--store", type=File, default=kept)
    return parser.parse_args()


def main() -> int:
    """Do what the arguments say; the exit code."""
    os.environ.setdefault("BOUNCEPROOF_JIT", "0")
    options = _options()
    try:
        code: int = options.function(options)
    except SourceError as error:
        print(f"c_mutants: {error}", file=sys.stderr)
        return 2
    return code


if __name__ == "__main__":
    raise SystemExit(main())
