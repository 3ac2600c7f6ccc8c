# SPDX-License-Identifier: GPL-2.0-only
"""``bounceproof fix``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bounceproof.cli.help import INPUT, OURS, ending
from bounceproof.cli.options import pool_kind_option, request_options, state_of
from bounceproof.cli.output import output_options, show, waiting
from bounceproof.cli.questions import (
    PROPERTIES,
    domain_of,
    interpret_single_requests,
    properties_of,
    question_options,
)
from bounceproof.cli.subjects import is_tree, kernel_options, tree_model
from bounceproof.errors import InputError, OutputError
from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.contract import Property
from bounceproof.models.request import KernelModel
from bounceproof.report.formats import Output

if TYPE_CHECKING:
    from bounceproof.solver.contract.domain import Domain
    from bounceproof.solver.fixes.answer import Fixed
    from bounceproof.solver.fixes.trees import Mended
    from bounceproof.source.tree.tree import Tree

_CODES = {
    0: "fixes are proved to do it, or nothing is broken",
    1: "it is proved that no known fixes do it",
    2: INPUT,
    3: "unknown",
    4: OURS,
}


@click.command(
    epilog=ending(
        _CODES,
        "bounceproof fix v6.6.35 --property owned --page-size 4K --granule 4K",
        properties=True,
    )
)
@click.argument("kernel")
@kernel_options
@request_options
@pool_kind_option
@question_options
@click.option("--merged", is_flag=True, help="Only fixes that mainline has as commits.")
@click.option(
    "--may-break",
    "losses",
    multiple=True,
    type=click.Choice(PROPERTIES),
    help="A property that may break although it holds before.",
)
@click.option(
    "-o",
    "--output-dir",
    "folder",
    metavar="DIR",
    help="Write the patches made for a tree there.",
)
@output_options("fix", details=True)
def fix(
    kernel: str,
    patches: tuple[str, ...],
    settings: tuple[str, ...],
    properties: tuple[str, ...],
    timeout: float,
    merged: bool,
    losses: tuple[str, ...],
    folder: str | None,
    output: Output,
    **options: Any,
) -> int:
    """Say what fixes KERNEL, and prove it.

    Of a built-in state the smallest sets of known fixes after which every property
    asked holds, and none breaks that held before in a configuration.  Every smaller set
    has a request that breaks it, which --verbose shows.  Where no set does it, what
    stays broken at best.

    Of a tree the patches of bounceproof's own that match its code, proved on it, each
    with a commit message.  That needs Coccinelle's spatch.
    """
    interpret_single_requests()
    asked = properties_of(properties)
    if is_tree(kernel):
        if merged or losses:
            raise InputError(
                f"{kernel} is a tree: --merged and --may-break are of states"
            )
        mended = _mended(kernel, (patches, settings), options, asked, timeout)
        return _told(mended, folder, output)
    if patches or settings or folder is not None:
        raise InputError(f"{kernel} is built in: --patch, --config, -o are of trees")
    may_break = frozenset(Property(name) for name in losses)
    result = _sets(kernel, merged, may_break, options, asked, timeout)
    from bounceproof.report import fixing

    show(fixing.answer(result), output)
    return result.verdict.exit_code


def _sets(
    kernel: str,
    merged: bool,
    may_break: frozenset[Property],
    options: dict[str, Any],
    asked: list[Property],
    timeout: float,
) -> Fixed:
    """The sets of known fixes for a built-in state."""
    from bounceproof.models.catalog import FIXES
    from bounceproof.solver.fixes.answer import Question, fix_kernel

    state = state_of(kernel)
    domain = domain_of([BuiltinKernel(state)], options)
    known = tuple(one for one in FIXES.values() if one.origin.merged or not merged)
    with waiting() as watch:
        question = Question(state, domain, tuple(asked), known, may_break)
        return fix_kernel(question, timeout, watch)


def _mended(
    kernel: str,
    changed: tuple[tuple[str, ...], tuple[str, ...]],
    options: dict[str, Any],
    asked: list[Property],
    timeout: float,
) -> Mended:
    """What patches of ours do for a tree."""
    from bounceproof.solver.fixes.trees import mend_tree
    from bounceproof.source.kernel.confirm import TreeKernel

    patches, settings = changed

    def patched(more: tuple[str, ...]) -> tuple[KernelModel, Tree]:
        model = tree_model(kernel, (*patches, *more), settings)
        assert isinstance(model, TreeKernel)
        return model, model.tree

    domain: Domain = domain_of([patched(())[0]], options)
    with waiting() as watch:
        return mend_tree(patched, domain, asked, timeout, watch)


def _told(result: Mended, folder: str | None, output: Output) -> int:
    """Write the patches where they are useful, and say what they do."""
    from bounceproof.report import mending

    written = []
    if folder is not None and result.useful:
        for number, made in enumerate(result.made, 1):
            place = Path(folder).expanduser() / mending.file_name(number, made)
            _write(place, mending.message(made, result))
            written.append(str(place))
    show(mending.answer(result, written), output)
    return result.exit_code


def _write(place: Path, text: str) -> None:
    scratch = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_bytes(text.encode("utf-8", "surrogateescape"))
        scratch.replace(place)
    except OSError as error:
        raise OutputError(f"-o {place}: {error.strerror}") from None
