# SPDX-License-Identifier: GPL-2.0-only
"""The ``bounceproof`` command.  Commands are imported when they are run."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import traceback
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from bounceproof import __version__
from bounceproof.cli.streams import (
    complain,
    keep_descriptors,
    require_output,
    settle_output,
)
from bounceproof.errors import (
    OURS,
    BounceproofError,
    InputError,
    PipeClosed,
    one_line,
)

COMMANDS = {
    "check": "Check the contract of a kernel; show the smallest counterexample.",
    "prove": "Say what fixes or patches fixed, left broken and made worse.",
    "fix": "The smallest sets of known fixes that make a contract hold.",
    "simulate": "Run requests on real slots and show or print what happens.",
    "diff": "The requests on which two kernels differ, as classes.",
    "limit": "The largest size that never fails, beside the limit in use.",
    "theorem": "Do granule and min_align_mask always work together?",
    "invariant": "Prove that every history of calls keeps list[] and used right.",
    "capacity": "What a pool carries whatever came before; how large it must be.",
    "conform": "Prove that a built-in kernel and a tree's C code compute the same.",
    "bisect": "Find the commit of a tree that broke or fixed a property.",
    "audit": "Ask every property of every kernel; keep the answers.",
    "b4-check": "Check a patch for b4: what it fixes, breaks and leaves.",
    "explain": "Say which requests print the swiotlb messages of a kernel log.",
    "report": "Write a page about kernels: verdicts, pictures, arithmetic.",
    "plot": "Draw what breaks a kernel as SVG.",
    "kernels": "List the built-in kernel states.",
    "fixes": "List the built-in fixes.",
    "devices": "List the built-in devices.",
    "schema": "Print the JSON Schema of a command's answer.",
    "completion": "Print what makes a shell complete commands and kernels.",
}
PROGRAM = "bounceproof"
INTERRUPTED = 130
COMPLETE = "_BOUNCEPROOF_COMPLETE"
"""Set in the environment by a shell that asks what it can offer."""


@dataclass(slots=True)
class Invocation:
    """What a run of the command line is told beside its question."""

    debug: bool = False
    quiet: bool = False


_EVERYWHERE = {
    "quiet": "Show no progress, also on a terminal.",
    "debug": "Show the traceback of an error.",
}
"""The flags of every command."""


def _set(context: click.Context, option: click.Parameter, given: bool) -> None:
    invocation = context.find_root().obj
    if given and isinstance(invocation, Invocation) and option.name is not None:
        setattr(invocation, option.name, True)


def _flags() -> list[click.Parameter]:
    return [
        click.Option(
            [f"--{name}"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_set,
            help=text,
        )
        for name, text in _EVERYWHERE.items()
    ]


class LazyGroup(click.Group):
    """Commands by name; a command's module is imported when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            near = get_close_matches(cmd_name, COMMANDS, n=2)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise click.UsageError(f"no command '{cmd_name}'{hint}")
        name = cmd_name.replace("-", "_")
        command = getattr(importlib.import_module(f"bounceproof.cli.{name}"), name)
        if not isinstance(command, click.Command):
            return None
        if all("--debug" not in option.opts for option in command.params):
            command.params += _flags()
        if os.environ.get(COMPLETE):
            from bounceproof.cli.complete import offer

            offer(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        asks = not {"--help", "-h"}.intersection(rest) and not ctx.resilient_parsing
        if name is not None and command is not None and asks:
            from bounceproof.cli.defaults import apply

            for line in apply(ctx, command, name):
                complain(line)
        return name, command, rest

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name=PROGRAM)
def bounceproof() -> None:
    """Can a DMA mapping within the driver's limit ever fail in swiotlb?

    KERNEL is a built-in state (v6.6), with fixes left to right
    (v6.6+nicolin-v1-1+nicolin-v1-2), or "latest"; or a kernel tree
    (~/linux), a git revision of one (~/linux@v6.8-rc4), a source archive.
    Numbers are decimal or 0x..., sizes with K, M, G.

    \b
    Exit codes:
      0  holds          1  broken         2  usage or input
      3  unknown        4  an error of bounceproof's own
    The highest one where several apply.

    \b
    Examples:
      bounceproof check v6.9
      bounceproof prove ~/linux --patch series.mbox --fail-on regression
      bounceproof COMMAND --help
    """


bounceproof.params += _flags()


def _told(error: Exception) -> str:
    """An error that is nobody's input, with the place that raised it."""
    if isinstance(error, ModuleNotFoundError):
        return f"the Python module {error.name} is missing: install bounceproof again"
    place = traceback.extract_tb(error.__traceback__)[-1:]
    where = "".join(f" ({Path(at.filename).name}:{at.lineno})" for at in place)
    told = one_line(f"{type(error).__name__}: {error}")
    return f"an error of bounceproof's own: {told}{where}; --debug shows more"


def _run(arguments: list[str] | None, invocation: Invocation) -> int:
    """The exit code of the command, whatever becomes of it."""
    try:
        require_output()
        code: Any = bounceproof.main(
            arguments, PROGRAM, COMPLETE, standalone_mode=False, obj=invocation
        )
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return InputError.exit_code
    except click.ClickException as error:
        complain(one_line(error.format_message()))
        return InputError.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except (PipeClosed, BrokenPipeError, SystemExit) as ended:
        # click leaves by itself where a shell asked it what to offer, and, with 1,
        # where the pipe of its own output is closed
        if isinstance(ended, SystemExit) and os.environ.get(COMPLETE):
            return int(ended.code or 0)
        return PipeClosed.exit_code
    except BounceproofError as error:
        return _ended(error, invocation)
    except Exception as error:
        if invocation.debug:
            traceback.print_exc()
        complain(_told(error))
        return OURS
    return code if isinstance(code, int) else 0


def _ended(error: BounceproofError, invocation: Invocation) -> int:
    if invocation.debug:
        traceback.print_exc()
    complain(error.message)
    return error.exit_code


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its exit code.

    An interrupt ends the process at once, also inside the solver.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    keep_descriptors()
    code = _run(arguments, Invocation())
    settle_output()
    sys.exit(code)
