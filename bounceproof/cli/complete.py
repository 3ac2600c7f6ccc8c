# SPDX-License-Identifier: GPL-2.0-only
"""What a shell offers behind a word that is not yet whole."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from bounceproof.models.catalog import FIXES, STATES
from bounceproof.models.requests.devices import DEVICES

SHELLS = ("bash", "zsh", "fish")
KERNELS = ("kernel", "kernels", "a", "b")
FILES = ("tree", "log", "patches", "file", "batch", "history", "trace", "store")


def _path(incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(incomplete, type="file")]


def kernel_names(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Built-in states, fixes behind a ``+``, or files of a tree."""
    before, plus, last = incomplete.rpartition("+")
    if "/" in incomplete or incomplete.startswith(("~", ".")):
        return _path(incomplete)
    if plus:
        named = (
            (f"{before}+{fix.name}", fix.origin.summary)
            for fix in FIXES.values()
            if fix.name.startswith(last)
        )
        return [CompletionItem(name, help=told) for name, told in named]
    known = [name for name in ("latest", *STATES) if name.startswith(incomplete)]
    return [CompletionItem(name) for name in known] or _path(incomplete)


def device_names(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The built-in devices."""
    return [
        CompletionItem(device.name, help=device.summary)
        for device in DEVICES
        if device.name.startswith(incomplete)
    ]


def file_names(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Files, which the shell itself knows."""
    return _path(incomplete)


def offer(command: click.Command) -> None:
    """Let the parameters of ``command`` that name something offer what there is."""
    for parameter in command.params:
        if parameter.name in KERNELS and isinstance(parameter, click.Argument):
            parameter._custom_shell_complete = kernel_names
        elif parameter.name == "device_name":
            parameter._custom_shell_complete = device_names
        elif parameter.name in FILES:
            parameter._custom_shell_complete = file_names
