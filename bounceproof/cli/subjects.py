# SPDX-License-Identifier: GPL-2.0-only
"""KERNEL on the command line: a built-in state, a tree, a revision, patches on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bounceproof.cli.options import option_error
from bounceproof.cli.streams import complain, say, standard_input
from bounceproof.errors import InputError
from bounceproof.library.kernels import base_kernel, open_kernel, tree_kernel
from bounceproof.library.kernels import is_tree as is_tree
from bounceproof.models.outcome import Outcome
from bounceproof.models.request import KernelModel
from bounceproof.models.requests.validate import BadInput

if TYPE_CHECKING:
    from bounceproof.solver.answers.check import Checked
    from bounceproof.solver.contract.verdict import Counterexample

F = TypeVar("F", bound=Callable[..., Any])


def _print_assumptions(
    context: click.Context, parameter: click.Parameter, wanted: bool
) -> None:
    if not wanted:
        return
    from bounceproof.report.assumptions import as_text

    say(as_text())
    context.exit(0)


def kernel_options(command: F) -> F:
    """Add what a KERNEL from a tree takes: patches and configuration."""
    options = [
        click.option(
            "--patch",
            "patches",
            multiple=True,
            metavar="FILE|-",
            help="Apply a patch, or a series in an mbox, to the tree; in order.",
        ),
        click.option(
            "--config",
            "settings",
            multiple=True,
            metavar="KEY=VALUE",
            help="Configuration that the tree is read under, y, n or a value.",
        ),
        click.option(
            "--assumptions",
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_assumptions,
            help="Print what reading a tree takes as given, and exit.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def settings_of(settings: tuple[str, ...]) -> dict[str, str]:
    """The values of ``--config``.  Raises InputError."""
    config = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key.isidentifier():
            raise InputError(f"--config '{setting}': not KEY=VALUE")
        config[key] = value
    return config


def tree_model(
    name: str, patches: tuple[str, ...] = (), settings: tuple[str, ...] = ()
) -> KernelModel:
    """The kernel of a tree, revision or archive, with patches applied in memory."""
    if "-" in patches:
        standard_input("--patch")
    try:
        return tree_kernel(name, patches, settings_of(settings))
    except BadInput as error:
        raise option_error(error) from None


def model_of(
    name: str, patches: tuple[str, ...] = (), settings: tuple[str, ...] = ()
) -> KernelModel:
    """The kernel that ``name`` stands for.  Raises InputError or a SourceError."""
    if is_tree(name):
        return tree_model(name, patches, settings)
    try:
        return open_kernel(name, patches, settings_of(settings))
    except BadInput as error:
        raise option_error(error) from None


def base_of(
    name: str,
    model: KernelModel,
    patches: tuple[str, ...],
    settings: tuple[str, ...] = (),
) -> KernelModel:
    """What ``name`` is without its fixes or patches, under the same configuration."""
    return base_kernel(name, model, patches, settings_of(settings))


def require_tree(model: KernelModel) -> None:
    """InputError where there is no code to run; a word on a fence that is missing."""
    from bounceproof.source.kernel.confirm import TreeKernel
    from bounceproof.source.native.fence import takes_network_away

    if not isinstance(model, TreeKernel):
        raise InputError(f"--native: {model.name} is built in; there is no code to run")
    if not takes_network_away():
        reason = "this system does not let us take the code's network away"
        complain(f"--native: {reason}")


def natively_confirmed(model: KernelModel, result: Checked) -> Checked:
    """The same findings, each counterexample also run natively on the tree's code."""
    from bounceproof.solver.counterexample.confirm import single_request
    from bounceproof.source.kernel.confirm import TreeKernel
    from bounceproof.source.native.fence import takes_network_away
    from bounceproof.source.native.outcome import native_outcome

    if not isinstance(model, TreeKernel):
        raise InputError(f"--native: {model.name} is built in; there is no code to run")

    if not takes_network_away():
        reason = "this system does not let us take the code's network away"
        complain(f"--native: {reason}")

    def run(example: Counterexample) -> Outcome:
        numbers = single_request(example.cell, example.point).fields()
        return native_outcome(model, example.cell, numbers, example.taken or [])

    return result.also_confirmed(run)
