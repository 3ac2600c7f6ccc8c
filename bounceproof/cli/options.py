# SPDX-License-Identifier: GPL-2.0-only
"""Options that bear the same name in every command, and their values."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click

from bounceproof.errors import InputError
from bounceproof.models.catalog import UnknownName, device, kernel_state
from bounceproof.models.kernels.state import KernelState
from bounceproof.models.requests.devices import Device
from bounceproof.models.requests.numbers import parse_number
from bounceproof.models.requests.validate import BadInput

F = TypeVar("F", bound=Callable[..., Any])

_QUOTED = 60


_TYPED = "bounceproof.typed"


def as_typed(option: str, value: object) -> str | None:
    """What was typed for this value of ``option``; None where nothing was."""
    context = click.get_current_context(silent=True)
    known: dict[tuple[str, object], str] = {}
    if context is not None:
        known = context.find_root().meta.get(_TYPED, {})
    return known.get((option, value))


def _remember(
    ctx: click.Context | None, param: click.Parameter | None, value: int, text: str
) -> None:
    if ctx is not None and param is not None:
        known = ctx.find_root().meta.setdefault(_TYPED, {})
        known[param.opts[0], value] = text


class Number(click.ParamType[int]):
    """A number, decimal or 0x..., with K, M or G where it is a size."""

    name = "number"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        if isinstance(value, int):
            return value
        text = str(value).strip()
        try:
            number = parse_number(text)
        except ValueError as error:
            raise _refused(param, text, str(error)) from None
        _remember(ctx, param, number, text)
        return number


class Seconds(click.ParamType[float]):
    """How long a solver query may take, in seconds."""

    name = "seconds"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            seconds = float(value)
        except ValueError:
            seconds = math.nan
        if not SHORTEST <= seconds <= LONGEST:
            why = f"not a number of seconds from {SHORTEST} to {LONGEST}"
            raise _refused(param, str(value), why)
        return seconds


def _refused(param: click.Parameter | None, text: str, why: str) -> InputError:
    name = param.opts[0] if param is not None else "number"
    shown = text if len(text) <= _QUOTED else f"{text[:_QUOTED]}..."
    return InputError(f"{name} '{shown}': {why}")


SHORTEST, LONGEST = 0.001, 1_000_000
NUMBER, SECONDS = Number(), Seconds()


def timeout_option(command: F) -> F:
    """Add ``--timeout``."""
    return click.option(
        "--timeout",
        type=SECONDS,
        default=60.0,
        show_default=True,
        help="Seconds for one solver query.",
    )(command)


_FIELDS = {
    "--page-size": "PAGE_SIZE in bytes.",
    "--granule": "IOVA granule in bytes; asks about dma-iommu.",
    "--min-align-mask": "The device's min_align_mask.",
    "--seg-boundary-mask": "The device's segment boundary mask.",
    "--pool-start": "Physical address of the pool.",
    "--nslabs": "Slots in the pool.",
    "--nareas": "Areas in the pool.",
    "--start-index": "area->index of every area.",
    "--orig-addr": "Physical address of the buffer.",
    "--size": "Bytes to map.",
}


def request_options(command: F) -> F:
    """Add the options that name request fields, device and path."""
    for name, text in reversed(_FIELDS.items()):
        command = click.option(name, type=NUMBER, help=text)(command)
    path = click.Choice(["direct", "iommu", "alloc", "link"])
    command = click.option("--path", type=path, help="The way into swiotlb.")(command)
    return click.option(
        "--device",
        "device_name",
        default="nvme",
        show_default=True,
        metavar="NAME",
        help="What asks for the mapping; see 'devices'.",
    )(command)


def page_zero_option(command: F) -> F:
    """Add ``--page-zero``."""
    return click.option(
        "--page-zero",
        is_flag=True,
        help="Ask about buffers in the first page of memory too, which no driver has.",
    )(command)


def pool_kind_option(command: F) -> F:
    """Add ``--pool-kind``."""
    return click.option(
        "--pool-kind",
        type=click.Choice(["default", "grown", "transient"]),
        help="The pool asked about, with CONFIG_SWIOTLB_DYNAMIC: the default one, one "
        "grown, or the transient one made for a single request.",
    )(command)


def json_option(command: F) -> F:
    """Add ``--format`` and ``--json`` to a command that prints these two by itself."""

    @wraps(command)
    def asked(*arguments: Any, **options: Any) -> Any:
        kind = options.pop("output_format")
        if options["as_json"] and kind == "text":
            raise InputError("--format text and --json: choose one")
        options["as_json"] = options["as_json"] or kind == "json"
        return command(*arguments, **options)

    kinds = click.Choice(["text", "json"])
    told = "How the answer is printed; text if left out."
    made: Any = click.option("--format", "output_format", type=kinds, help=told)(asked)
    short = "Short for --format json."
    wanted: F = click.option("--json", "as_json", is_flag=True, help=short)(made)
    return wanted


def state_of(name: str) -> KernelState:
    """The built-in state of this name; InputError where there is none."""
    return kernel_state(name)


def device_of(name: str) -> Device:
    """The device of this name; InputError where there is none."""
    try:
        return device(name)
    except UnknownName as error:
        raise InputError(f"--device: {error}") from None


def option_error(error: BadInput) -> InputError:
    """The same complaint with the option's spelling."""
    option = f"--{error.field.replace('_', '-')}"
    shown = as_typed(option, error.value) or error.shown
    return InputError(f"{option} {shown}".rstrip() + f": {error.why}")


def no_granule(path: str, granule: int) -> InputError:
    """The complaint about a granule on a path that has none."""
    shown = as_typed("--granule", granule) or granule
    return InputError(f"--granule {shown}: path {path} has no granule")
