# SPDX-License-Identifier: GPL-2.0-only
"""``bounceproof b4-check``."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bounceproof.cli.help import OURS, ending
from bounceproof.cli.options import NUMBER
from bounceproof.cli.questions import (
    PROPERTIES,
    interpret_single_requests,
    properties_of,
)
from bounceproof.cli.streams import say
from bounceproof.errors import BounceproofError, InputError
from bounceproof.models.constants import PAGE_SIZES
from bounceproof.models.contract import Property
from bounceproof.report import b4
from bounceproof.report.b4 import Status

if TYPE_CHECKING:
    from bounceproof.source.kernel.kernel import SourceKernel
    from bounceproof.source.tree.review import Base, Mail

LARGEST = 16 << 20
_QUERIES = 4
"""One solver query may take a fraction of the time, so that others get theirs."""


@click.command(
    name="b4-check",
    epilog=ending(
        {0: "the answer is in the array", 2: "usage", 4: OURS},
        "bounceproof b4-check < patch.mbox",
    ),
)
@click.option(
    "--property",
    "properties",
    multiple=True,
    type=click.Choice(PROPERTIES),
    help="A property to ask; all of them if left out.",
)
@click.option(
    "--page-size", type=NUMBER, help="PAGE_SIZE in bytes; 4K, 64K and 16K if left out."
)
@click.option(
    "--within",
    type=click.FloatRange(1, 3600),
    default=24.0,
    show_default=True,
    help="Seconds for the proofs; what is not answered then is a warning.",
)
def b4_check(properties: tuple[str, ...], page_size: int | None, within: float) -> int:
    """Check a patch for b4, as b4.review-perpatch-check-cmd.

    Reads a message from standard input and prints a JSON array of results, which is
    empty for a patch that changes nothing that is checked.  The base is base-commit:,
    what b4 tracked, or HEAD of the tree around the current directory.  Also for
    b4.review-series-check-cmd: then of the whole series, where b4 has applied it.
    """
    if page_size is not None and page_size not in PAGE_SIZES:
        raise InputError(f"--page-size {page_size}: not 4096, 16384 or 65536")
    asked = _Asked(tuple(properties_of(properties)), page_size, within)
    say(_checked(_message(), asked))
    return 0


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked of a patch; ``within`` seconds."""

    properties: tuple[Property, ...]
    page_size: int | None
    within: float


def _message() -> bytes:
    return b"" if sys.stdin is None else sys.stdin.buffer.read(LARGEST + 1)


def _checked(data: bytes, asked: _Asked) -> str:
    """The array for one message."""
    from bounceproof.source.tree.review import mentions_ours, read_mail

    if not data.strip():
        return b4.result(Status.WARN, "not checked: no message on standard input")
    try:
        mail = read_mail(data[:LARGEST])
    except BounceproofError as error:
        if not mentions_ours(data):
            return b4.NOTHING
        return b4.result(Status.WARN, f"not checked: {error.message}")
    if not mail.touches:
        return _of_series(mail, asked)
    return _judged(mail, asked)


def _of_series(mail: Mail, asked: _Asked) -> str:
    """A cover letter: its series where b4 has it, a warning where it concerns us."""
    from bounceproof.source.tree.review import series_of, top_of, tracking_of

    if not mail.covers:
        return b4.NOTHING
    top = top_of(Path.cwd())
    series = None if top is None else series_of(top, tracking_of(os.environ))
    if series is None:
        names = ", ".join(mail.covers)
        told = f"not checked: the series changes {names}; see each patch"
        return b4.result(Status.WARN, told)
    return _judged(replace(mail, data=series, subject=None), asked)


def _judged(mail: Mail, asked: _Asked) -> str:
    from bounceproof.source.tree.review import bases, tracking_of

    failed: list[str] = []
    for base in bases(mail, Path.cwd(), tracking_of(os.environ)):
        try:
            return _on(base, mail, asked)
        except BounceproofError as error:
            failed.append(f"{base.why}: {error.message}")
    told = "\n".join(failed)
    return b4.result(Status.WARN, f"not checked: {failed[0]}", told)


def _on(base: Base, mail: Mail, asked: _Asked) -> str:
    """The array for the patch on ``base``; raises where it does not apply there."""
    from bounceproof.library.kernels import kernel_of
    from bounceproof.source.tree.tree import open_patched, open_tree

    kernel = kernel_of(open_patched(base.spec, mail.data, "message"))
    if not any(patch.read for patch in kernel.judged().patches):
        return b4.NOTHING
    return _proved(kernel_of(open_tree(base.spec)), kernel, base, asked)


def _proved(
    before: SourceKernel, kernel: SourceKernel, base: Base, asked: _Asked
) -> str:
    from bounceproof.models.catalog import device
    from bounceproof.report.reviews import review
    from bounceproof.solver.answers.soon import Question, prove_soon
    from bounceproof.solver.contract.domain import Domain

    interpret_single_requests()
    domain = Domain(device("nvme"), page_size=asked.page_size)
    most = asked.within / _QUERIES
    question = Question(before, kernel, domain, asked.properties, most)
    return review(prove_soon(question, asked.within), base.why)
