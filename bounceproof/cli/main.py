# SPDX-License-Identifier: GPL-2.0-only
"""The ``bounceproof`` command.  Commands are imported when they are run."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from difflib import get_close_matches
from typing import Any

import click

from bounceproof import __version__
from bounceproof.source.errors import SourceError

COMMANDS = {
    "check": "Check the contract of a kernel; show the smallest counterexample.",
    "prove": "Prove a kernel, show its base's counterexamples and what got worse.",
    "simulate": "Run requests on real slots and show or print what happens.",
    "diff": "The requests on which two kernels differ, as classes.",
    "limit": "The largest size that never fails, beside the limit in use.",
    "theorem": "Do granule and min_align_mask always work together?",
    "invariant": "Prove that every history of calls keeps list[] and used right.",
    "conform": "Prove that a built-in kernel and a tree's C code compute the same.",
    "bisect": "Find the commit of a tree that broke or mended a property.",
    "audit": "Ask every property of every kernel in every cell; keep the answers.",
    "explain": "Say which requests print the swiotlb messages of a kernel log.",
    "kernels": "List the built-in kernel states.",
    "fixes": "List the built-in fixes.",
    "devices": "List the built-in devices.",
}
INTERRUPTED = 130


class LazyGroup(click.Group):
    """Commands by name; a command's module is imported when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            near = get_close_matches(cmd_name, COMMANDS, n=2)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise click.UsageError(f"no command '{cmd_name}'{hint}")
        module = importlib.import_module(f"bounceproof.cli.{cmd_name}")
        command = getattr(module, cmd_name)
        return command if isinstance(command, click.Command) else None

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="bounceproof")
def bounceproof() -> None:
    """Can a DMA mapping within the driver's limit ever fail in swiotlb?

    KERNEL is a built-in state (v6.6), with fixes left to right
    (v6.6+nicolin-v1-1+nicolin-v1-2), or "latest"; or a kernel tree
    (~/linux), a git revision of one (~/linux@v6.8-rc4), a source archive.
    Numbers are decimal or 0x..., sizes with K, M, G.

    Exit codes: 0 holds, 1 broken, 2 usage or input, 3 unknown, 4 solver and
    simulator disagree.
    """


def _one_line(error: click.ClickException) -> str:
    return " ".join(error.format_message().split())


def _run(arguments: list[str] | None) -> int:
    try:
        code: Any = bounceproof.main(arguments, standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.ClickException as error:
        click.echo(f"bounceproof: {_one_line(error)}", err=True)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except SourceError as error:
        click.echo(f"bounceproof: {error}", err=True)
        return 2
    return code if isinstance(code, int) else 0


def _silence_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its exit code.

    An interrupt ends the process at once, also inside the solver.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        _silence_output()
        code = 1
    except KeyboardInterrupt:
        code = INTERRUPTED
    except OSError as error:
        _silence_output()
        click.echo(f"bounceproof: standard output: {error.strerror}", err=True)
        code = 2
    sys.exit(code)
