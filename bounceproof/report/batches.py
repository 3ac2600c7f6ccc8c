# SPDX-License-Identifier: GPL-2.0-only
"""JSON lines in, JSON lines out.

What has arrived is answered at once, so a program may send a line and wait for its
answer; what arrives together is answered together, compiled.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from bounceproof.errors import InputError
from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.catalog import kernel_state
from bounceproof.models.outcome import OUTCOME_FIELDS
from bounceproof.models.request import KernelModel
from bounceproof.models.requests.defaults import FIELDS, complete
from bounceproof.models.requests.devices import Device
from bounceproof.models.requests.validate import BadInput
from bounceproof.report.judged import label
from bounceproof.simulator.single import SingleRequest
from bounceproof.solver.contract.run import run_requests
from bounceproof.solver.contract.watch import Watch, unwatched

_CHUNK = 1 << 18
_LONGEST = 1 << 20
_IGNORED = frozenset((*OUTCOME_FIELDS, "schema", "command"))
_KNOWN = frozenset((*FIELDS, "kernel", "pool_kind"))
_CHOICES = {
    "path": ("direct", "iommu", "alloc", "link"),
    "pool_kind": ("default", "grown", "transient"),
}


class BadLine(InputError):
    """A line that is no request; the message has its number."""


def _choice(name: str, value: object) -> None:
    *others, last = _CHOICES[name]
    if value is not None and value not in _CHOICES[name]:
        why = f"not {', '.join(others)} or {last}"
        raise BadInput(name, json.dumps(value), why)


def _chunks(source: int) -> Iterator[list[bytes]]:
    rest = b""
    while data := os.read(source, _CHUNK):
        *lines, rest = (rest + data).split(b"\n")
        if lines:
            yield lines
        if len(rest) > _LONGEST:
            yield [rest]
            return
    if rest:
        yield [rest]


@dataclass(slots=True)
class _Reader:
    """Parses lines into requests, with the defaults of the command line."""

    model: KernelModel
    device: Device
    options: Mapping[str, Any]
    number: int = 0
    _models: dict[str, KernelModel] = field(default_factory=dict)

    def _model(self, name: object) -> KernelModel:
        if name is None:
            return self.model
        if not isinstance(name, str):
            raise BadInput("kernel", name, "not a name")
        if name not in self._models:
            self._models[name] = BuiltinKernel(kernel_state(name))
        return self._models[name]

    def request(self, line: bytes) -> tuple[KernelModel, SingleRequest]:
        """Kernel and request of one line.  Raises BadLine."""
        try:
            data = json.loads(line)
            if not isinstance(data, dict):
                raise ValueError("not a JSON object")
            return self._of(data)
        except (InputError, ValueError, RecursionError) as error:
            raise BadLine(f"line {self.number}: {error}") from None

    def _of(self, data: dict[str, Any]) -> tuple[KernelModel, SingleRequest]:
        for name, value in data.items():
            if name in _IGNORED:
                continue
            if name not in _KNOWN:
                raise BadInput(name, json.dumps(value), "no such field")
            plain = isinstance(value, int) and not isinstance(value, bool)
            if name in _CHOICES:
                _choice(name, value)
            elif name != "kernel" and value is not None and not plain:
                raise BadInput(name, json.dumps(value), "not an integer")
        model = self._model(data.get("kernel"))
        fields = complete(model, self.device, {**self.options, **data})
        return model, SingleRequest(**fields)


def _answers(work: list[tuple[KernelModel, SingleRequest]]) -> Iterator[str]:
    for model, group in groupby(work, key=lambda item: item[0]):
        requests = [request for _, request in group]
        outcomes = run_requests(model, requests)
        for request, outcome in zip(requests, outcomes, strict=True):
            found = {**request.fields(), **outcome.fields()}
            yield json.dumps({"kernel": label(model), **found})


def _parsed(
    reader: _Reader, lines: list[bytes]
) -> tuple[list[tuple[KernelModel, SingleRequest]], BadLine | None]:
    work = []
    for line in lines:
        reader.number += 1
        if not line.strip():
            continue
        try:
            work.append(reader.request(line))
        except BadLine as error:
            return work, error
    return work, None


def answer_lines(
    source: int,
    write: Callable[[bytes], None],
    model: KernelModel,
    device: Device,
    options: Mapping[str, Any],
    watch: Watch = unwatched,
) -> None:
    """Answer every line of the file descriptor ``source`` by ``write``.

    A field that a line leaves out is as in ``options``, or the default.  Raises
    BadLine, after the good lines before it have been answered.
    """
    reader = _Reader(model, device, options)
    for lines in _chunks(source):
        work, trouble = _parsed(reader, lines)
        if work:
            write("".join(f"{text}\n" for text in _answers(work)).encode())
        watch(f"{reader.number} lines answered")
        if trouble is not None:
            raise trouble
