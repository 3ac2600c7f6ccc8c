# SPDX-License-Identifier: GPL-2.0-only
"""The JSON Schema of each command's answer, in a file beside ``common.json``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

_COMMON = "common"
_REFERENCE = f"{_COMMON}.json#/$defs/"
Schema = dict[str, Any]


def _read(name: str) -> Schema:
    text = files("bounceproof").joinpath("schemas", f"{name}.json").read_text("utf-8")
    schema: Schema = json.loads(text)
    return schema


def commands() -> list[str]:
    """The commands that have a schema."""
    names = (file.name for file in files("bounceproof").joinpath("schemas").iterdir())
    stems = (name.removesuffix(".json") for name in names if name.endswith(".json"))
    return sorted(stem for stem in stems if stem != _COMMON)


def _parts(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in ``value``, itself included."""
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value:
        if isinstance(part, dict | list):
            yield from _parts(part)


def _take(schema: Schema, shared: Schema, known: Schema) -> None:
    """Add to ``known`` what ``schema`` names of ``shared``, and name it there."""
    for part in _parts(schema):
        named = part.get("$ref")
        if not isinstance(named, str):
            continue
        part["$ref"] = named.replace(_REFERENCE, "#/$defs/")
        name = part["$ref"].removeprefix("#/$defs/").split("/")[0]
        if name in shared and name not in known:
            known[name] = shared[name]
            _take(known[name], shared, known)


def schema_of(command: str) -> Schema:
    """The JSON Schema (2020-12) of what ``command --json`` prints, whole in itself.

    Raises KeyError for a command that has none.
    """
    if command not in commands():
        raise KeyError(command)
    schema = _read(command)
    known: Schema = {}
    _take(schema, _read(_COMMON)["$defs"], known)
    schema["$defs"] = {**schema.get("$defs", {}), **known}
    return schema
