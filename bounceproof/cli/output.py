# SPDX-License-Identifier: GPL-2.0-only
"""How an answer is printed, and the line for who waits for it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bounceproof.cli.streams import say
from bounceproof.errors import InputError
from bounceproof.report.formats import FORMATS, Answer, Output, formats_of, render

if TYPE_CHECKING:
    from bounceproof.report.progress import StatusLine

F = TypeVar("F", bound=Callable[..., Any])


def output_options(name: str, *, details: bool = False) -> Callable[[F], F]:
    """Add ``--format`` and its short forms to the command ``name``.

    ``details``: and ``--verbose``.  The command gets an ``output``.
    """
    short = [kind for kind in formats_of(name) if FORMATS[kind].short]

    def decorate(command: F) -> F:
        @wraps(command)
        def asked(*arguments: Any, **options: Any) -> Any:
            chosen = {kind for kind in short if options.pop(f"as_{kind}")}
            output = _output(options.pop("output_format"), chosen, options, details)
            return command(*arguments, output=output, **options)

        made: Any = asked
        for kind in reversed(short):
            told = f"Short for --format {kind}."
            made = click.option(f"--{kind}", f"as_{kind}", is_flag=True, help=told)(
                made
            )
        if details:
            made = click.option(
                "-v", "--verbose", is_flag=True, help="Show every detail."
            )(made)
        wanted: F = click.option(
            "--format",
            "output_format",
            type=click.Choice(formats_of(name)),
            help="How the answer is printed; text if left out.",
        )(made)
        return wanted

    return decorate


def _output(
    asked: str | None, short: set[str], options: dict[str, Any], details: bool
) -> Output:
    chosen = sorted(short | ({asked} if asked is not None else set()))
    if len(chosen) > 1:
        ways = [f"--{k}" if k in short else f"--format {k}" for k in chosen]
        raise InputError(f"{' and '.join(ways)}: choose one")
    verbose = bool(options.pop("verbose")) if details else False
    return Output(chosen[0] if chosen else "text", verbose, bool(chosen))


def show(answer: Answer, output: Output) -> None:
    """Print ``answer`` as wanted.  Raises OutputError or PipeClosed."""
    say(render(answer, output))


def waiting(beside_output: bool = False) -> StatusLine:
    """The line for who waits at a terminal, unless ``--quiet`` was given.

    ``beside_output``: none either where answers go to that terminal in the meantime.
    """
    from bounceproof.cli.main import Invocation
    from bounceproof.report.progress import StatusLine

    invocation = click.get_current_context().find_root().obj
    quiet = isinstance(invocation, Invocation) and invocation.quiet
    quiet = quiet or (beside_output and sys.stdout.isatty())
    return StatusLine(quiet=quiet)
