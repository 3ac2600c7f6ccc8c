# SPDX-License-Identifier: GPL-2.0-only
"""What a command prints as JSON, held against the schema that the package ships."""

from __future__ import annotations

from functools import cache
from typing import Any

import jsonschema
from jsonschema.exceptions import best_match

from bounceproof.report.schemas import schema_of


def _closed(schema: Any) -> Any:
    """The same schema, which allows no field that it does not describe."""
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(part) for name, part in schema.items()}
    if "object" in schema.get("type", ()) and "properties" in schema:
        closed.setdefault("additionalProperties", False)
    return closed


@cache
def _validator(command: str) -> Any:
    schema = schema_of(command)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(_closed(schema))


def validate(command: str, value: Any) -> None:
    """Fail, with the place at fault, where ``command`` may not print ``value``."""
    error = best_match(_validator(command).iter_errors(value))
    if error is not None:
        place = "/".join(str(step) for step in error.absolute_path)
        raise AssertionError(f"{command}: {place or 'the answer'}: {error.message}")
