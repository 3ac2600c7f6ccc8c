# SPDX-License-Identifier: GPL-2.0-only
"""Frozen dataclasses as JSON values and back, led by their annotations."""

from __future__ import annotations

import types
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

_PLAIN = (bool, int, float, str)


class NotDecodable(ValueError):
    """A JSON value that does not fit the type asked for."""


def encode(value: Any) -> Any:
    """``value`` as JSON: objects for dataclasses, values for enum members."""
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: encode(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, dict):
        return {str(encode(name)): encode(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [encode(item) for item in value]
    return value


@cache
def hints(kind: type) -> dict[str, Any]:
    """The resolved annotations of a class."""
    return get_type_hints(kind)


def _mismatch(kind: Any, value: Any) -> NotDecodable:
    return NotDecodable(f"not a {getattr(kind, '__name__', kind)}: {value!r:.40}")


def _generic(kind: Any, value: Any) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        (only,) = (a for a in arguments if a is not type(None))
        return decode(only, value)
    if origin is dict and isinstance(value, dict):
        return {name: decode(arguments[1], item) for name, item in value.items()}
    if origin is tuple and isinstance(value, list):
        if arguments[1:] == (...,):
            return tuple(decode(arguments[0], item) for item in value)
        return tuple(decode(a, v) for a, v in zip(arguments, value, strict=True))
    if origin is list and isinstance(value, list):
        return [decode(arguments[0], item) for item in value]
    raise _mismatch(kind, value)


def decode(kind: Any, value: Any) -> Any:
    """The ``kind`` that :func:`encode` made ``value`` from.  Raises NotDecodable."""
    if kind is Any:
        return value
    if get_origin(kind) is not None:
        return _generic(kind, value)
    if kind in _PLAIN:
        number = kind is float and type(value) is int
        if type(value) is not kind and not number:
            raise _mismatch(kind, value)
        return value
    try:
        if issubclass(kind, Enum):
            return kind(value)
        wanted = {f.name: hints(kind)[f.name] for f in fields(kind)}
        return kind(**{n: decode(k, value[n]) for n, k in wanted.items()})
    except (KeyError, TypeError, ValueError) as error:
        raise _mismatch(kind, value) from error
