# SPDX-License-Identifier: GPL-2.0-only
"""What bounceproof answers about a mutant: ``check --json`` in a child, by cell.

The child is forked from a process that has asked the unchanged tree: what was read and
proved there is not read and proved again.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path as File
from typing import Any

from tools.c_mutants.truth import NVME, Where

SECONDS = 60
"""Of the processor's time for one question; several at once have so much each."""
PATIENCE = 5
"""How many times as long a question may take on a busy machine."""
MEMORY = 4 << 30
PROPERTIES = (
    *("fits", "finds", "halts", "aligned", "owned"),
    *("exclusive", "inbounds", "returned", "clean"),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """Verdicts by property in one cell; counterexamples and reasons where given.

    ``given`` where the command printed verdicts.
    """

    where: str
    verdicts: dict[str, str]
    examples: dict[str, Any]
    reasons: dict[str, str]
    seconds: float
    given: bool = True

    def fields(self) -> dict[str, Any]:
        """As a store keeps it."""
        return asdict(self)


def _child(arguments: Sequence[str], out: File, seconds: int) -> None:
    """Run the command line with its output in ``out``; never returns."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(handle, 1)
    os.dup2(os.open(out.with_suffix(".err"), os.O_WRONLY | os.O_CREAT), 2)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.alarm(PATIENCE * seconds)
    from bounceproof.cli.main import main

    code = 4
    try:
        main(list(arguments))
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 4
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _forked(arguments: Sequence[str], out: File, seconds: int) -> int:
    """The exit code of the command line; negative where a signal ended it."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        try:
            _child(arguments, out, seconds)
        finally:
            os._exit(4)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def warm(tree: str, cells: Sequence[Where]) -> None:
    """Ask all of the unchanged ``tree`` here, so that children inherit the answers."""
    from bounceproof.cli import check, main  # noqa: F401  (a child finds them loaded)
    from bounceproof.cli.subjects import model_of
    from bounceproof.report import checks  # noqa: F401
    from bounceproof.solver.answers.check import check_kernel
    from bounceproof.solver.contract.domain import Domain
    from bounceproof.solver.contract.properties import Property
    from bounceproof.source.errors import SourceError

    model = model_of(tree, (), ())
    for where in cells:
        granule = where.granule if where.path.has_granule else None
        domain = Domain(NVME, where.page_size, granule, where.path, page_zero=True)
        with suppress(SourceError):
            check_kernel(model, domain, list(Property), SECONDS)
    gc.collect()
    gc.freeze()


def ask(
    tree: str,
    patch: str,
    where: Where,
    properties: Sequence[str] = PROPERTIES,
    seconds: int = SECONDS,
) -> Answer:
    """Ask ``properties`` of ``tree`` with ``patch`` on top, in one cell.

    All at once, and one by one where that gives nothing: what ends one question ends
    the command.
    """
    answer = _ask(tree, patch, where, properties, seconds)
    if answer.given or len(properties) == 1:
        return answer
    alone = [_ask(tree, patch, where, (prop,), seconds) for prop in properties]
    verdicts = {k: v for one in alone for k, v in one.verdicts.items()}
    examples = {k: v for one in alone for k, v in one.examples.items()}
    reasons = {k: v for one in alone for k, v in one.reasons.items()}
    took = round(answer.seconds + sum(one.seconds for one in alone), 2)
    return Answer(where.label, verdicts, examples, reasons, took, True)


def _ask(
    tree: str,
    patch: str,
    where: Where,
    properties: Sequence[str],
    seconds: int,
) -> Answer:
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bounceproof-") as name:
        folder = File(name)
        (folder / "mutant.patch").write_text(patch, "utf-8", "surrogateescape")
        arguments = ["check", tree, "--patch", str(folder / "mutant.patch"), "--json"]
        arguments += ["--path", where.path.value, "--page-size", str(where.page_size)]
        if where.path.has_granule:
            arguments += ["--granule", str(where.granule)]
        for prop in properties:
            arguments += ["--property", prop]
        code = _forked(arguments, folder / "out", seconds * len(properties))
        printed = (folder / "out").read_text(errors="replace")
        said = (folder / "out.err").read_text(errors="replace").strip()
    took = round(time.monotonic() - started, 2)
    return _read(where, properties, code, printed, said, took)


def _verdict(finding: dict[str, Any]) -> str:
    """A verdict; a disagreement of solver and simulator is an error of ours."""
    verdict: str = finding["verdict"]
    return "error" if "disagree" in (finding["reason"] or "") else verdict


def _read(
    where: Where,
    properties: Sequence[str],
    code: int,
    printed: str,
    said: str,
    took: float,
) -> Answer:
    try:
        found = json.loads(printed)["properties"]
    except (json.JSONDecodeError, KeyError):
        late = code in (-signal.SIGALRM, -signal.SIGPROF)
        reason = "out of time" if late else f"exit {code}: {said.splitlines()[-1:]}"
        # A crash, an error of bounceproof's own: never the same as no answer.
        crash = not late and code not in (2, 3)
        verdict = "error" if crash else "unknown"
        verdicts = dict.fromkeys(properties, verdict)
        reasons = dict.fromkeys(properties, reason)
        return Answer(where.label, verdicts, {}, reasons, took, False)
    return Answer(
        where.label,
        {p["property"]: _verdict(p) for p in found},
        {p["property"]: p["counterexample"] for p in found if p["counterexample"]},
        {p["property"]: p["reason"] for p in found if p["reason"]},
        took,
    )
