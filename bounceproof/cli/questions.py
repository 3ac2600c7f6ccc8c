# SPDX-License-Identifier: GPL-2.0-only
"""What ``check`` and ``prove`` share: the domain and the properties asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bounceproof.cli.options import (
    NUMBER,
    device_of,
    option_error,
    page_zero_option,
    timeout_option,
)
from bounceproof.library import questions
from bounceproof.library.questions import (
    interpret_single_requests as interpret_single_requests,
)
from bounceproof.models.contract import Property
from bounceproof.models.request import KernelModel
from bounceproof.models.requests.validate import BadInput

if TYPE_CHECKING:
    from bounceproof.solver.contract.domain import Domain

F = TypeVar("F", bound=Callable[..., Any])
PROPERTIES = tuple(prop.value for prop in Property)


def question_options(command: F) -> F:
    """Add the options of a question: properties, steps and the time it may take."""
    options = [
        click.option(
            "--property",
            "properties",
            multiple=True,
            type=click.Choice(PROPERTIES),
            help="A property to ask; all of them if left out.",
        ),
        click.option("--size-step", type=NUMBER, help="Sizes are multiples of this."),
        click.option("--addr-step", type=NUMBER, help="Addresses too."),
        page_zero_option,
        timeout_option,
    ]
    for option in reversed(options):
        command = option(command)
    return command


def domain_of(models: Sequence[KernelModel], options: dict[str, Any]) -> Domain:
    """The domain that the options describe, valid for every kernel."""
    device = device_of(options.pop("device_name"))
    try:
        return questions.domain_of(models, device, options)
    except BadInput as error:
        raise option_error(error) from None


def properties_of(names: tuple[str, ...]) -> list[Property]:
    """The properties asked for, all of them where none is named."""
    return [Property(name) for name in dict.fromkeys(names or PROPERTIES)]
