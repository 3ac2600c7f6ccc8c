# SPDX-License-Identifier: GPL-2.0-only
"""What ``check`` and ``prove`` share: the domain and the properties asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bounceproof.cli.options import (
    NUMBER,
    device_of,
    no_granule,
    option_error,
    page_zero_option,
    timeout_option,
)
from bounceproof.models.contract import Property
from bounceproof.models.request import KernelModel, Path, PoolKind
from bounceproof.models.requests.devices import Device
from bounceproof.models.requests.validate import BadInput, validate_for, validate_pool

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


def interpret_single_requests() -> None:
    """Run the simulator uncompiled: loading compiled code costs more than it saves."""
    os.environ.setdefault("BOUNCEPROOF_JIT", "0")


def domain_of(models: Sequence[KernelModel], options: dict[str, Any]) -> Domain:
    """The domain that the options describe, valid for every kernel."""
    from bounceproof.solver.contract.domain import Domain

    device = device_of(options.pop("device_name"))
    kind = PoolKind(options.pop("pool_kind", None) or PoolKind.DEFAULT)
    try:
        for model in models:
            validate_for(model, options)
            validate_pool(model, {**options, "pool_kind": kind})
    except BadInput as error:
        raise option_error(error) from None
    path = options.pop("path")
    if path in ("direct", "alloc") and options.get("granule") is not None:
        raise no_granule(path, options["granule"])
    _sendable(device, options)
    way = None if path is None else Path(path)
    return Domain(device=device, path=way, pool_kind=kind, **options)


def _sendable(device: Device, options: dict[str, Any]) -> None:
    """Raise InputError for a fixed size or address that ``device`` never sends."""
    steps = {"size": device.size_step, "orig_addr": device.addr_step}
    for name, own in steps.items():
        option = {"size": "size_step", "orig_addr": "addr_step"}[name]
        step, value = options.get(option) or own, options.get(name)
        if value is not None and value % step:
            why = f"{device.name} sends multiples of {step}; see --{option}"
            raise option_error(BadInput(name, value, why.replace("_", "-")))


def properties_of(names: tuple[str, ...]) -> list[Property]:
    """The properties asked for, all of them where none is named."""

    return [Property(name) for name in dict.fromkeys(names or PROPERTIES)]
