# SPDX-License-Identifier: GPL-2.0-only
"""Answers as frozen dataclasses: what was found, and what the command would print.

Sizes, addresses and masks in bytes, slots counted within their pool.  A verdict is
``holds``, ``broken``, ``unknown`` or ``no request``, as on the command line.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bounceproof.models.outcome import Outcome as Outcome


@dataclass(frozen=True, slots=True)
class Answer:
    """What every answer has.

    ``kernel``: what was asked about.  ``text``: what the command prints; ``details``:
    with ``--verbose``.  ``json``: the fields of ``--format json``.  ``exit_code``: 0
    holds, 1 broken, 3 unknown, 4 an error of bounceproof's own, the highest that
    applies.
    """

    kernel: str
    exit_code: int
    text: str = field(repr=False, compare=False)
    details: str = field(repr=False, compare=False)
    json: dict[str, Any] = field(repr=False, compare=False, hash=False)

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        """The answer in a notebook."""
        from bounceproof.library.html import as_html

        return as_html(self)


@dataclass(frozen=True, slots=True)
class Request:
    """One mapping that a driver asks for, and the pool that it meets.

    ``page_size``, ``granule``, masks, addresses and ``size`` in bytes; ``nslabs`` and
    ``start_index`` in slots.
    """

    page_size: int
    path: str
    granule: int
    min_align_mask: int
    seg_boundary_mask: int
    pool_start: int
    nslabs: int
    nareas: int
    start_index: int
    orig_addr: int
    size: int
    pool_kind: str = "default"


@dataclass(frozen=True, slots=True)
class Counterexample:
    """A request that breaks a property.

    ``violation``: what it violates, in a sentence.  ``limit``: the driver's limit in
    bytes.  ``minimum``: proved the smallest.  ``confirmed``: run, and seen to break it.
    ``log_line``: what the kernel logs.  ``command``: shows it again when pasted.
    ``taken``: runs of slots in use, first and last; None for an empty pool.
    """

    request: Request
    outcome: Outcome
    violation: str | None
    limit: int
    minimum: bool
    confirmed: bool
    log_line: str | None
    command: str = field(repr=False)
    taken: tuple[tuple[int, int], ...] | None = None


@dataclass(frozen=True, slots=True)
class Configuration:
    """A page size, path, granule and mask: the driver's limit there, and the verdict.

    ``reason``: why the verdict is unknown, or that there is no request.
    """

    page_size: int
    path: str
    granule: int
    min_align_mask: int
    limit: int
    verdict: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Finding:
    """One property: its verdict, and what stands behind it.

    ``reason``: why the verdict is unknown.  ``note``: narrows a broken one down.
    """

    property: str
    verdict: str
    counterexample: Counterexample | None
    reason: str | None
    note: str | None
    configurations: tuple[Configuration, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Check(Answer):
    """``check``: a finding for each property that was asked."""

    verdict: str
    findings: tuple[Finding, ...]

    def __getitem__(self, name: str) -> Finding:
        """The finding of a property.  Raises KeyError for one that was not asked."""
        return _named(self.findings, name)


@dataclass(frozen=True, slots=True)
class Proof(Answer):
    """``prove``: what changed between ``base`` and ``kernel``, as names of properties.

    ``undecided`` is neither: there a verdict is unknown.
    """

    base: str
    verdict: str
    fixed: tuple[str, ...]
    still_broken: tuple[str, ...]
    regressed: tuple[str, ...]
    undecided: tuple[str, ...]
    findings: tuple[Finding, ...] = field(repr=False)
    base_findings: tuple[Finding, ...] = field(repr=False)
    worse: tuple[Finding, ...] = field(repr=False)

    def __getitem__(self, name: str) -> Finding:
        """The finding of a property.  Raises KeyError for one that was not asked."""
        return _named(self.findings, name)


@dataclass(frozen=True, slots=True)
class Simulation(Answer):
    """``simulate``: one request, run; ``log_line`` is what the kernel logs."""

    request: Request
    outcome: Outcome
    log_line: str | None


@dataclass(frozen=True, slots=True)
class Message:
    """What one message of a log means.

    ``happened``: the cause in a sentence.  ``advice``: what can be done.  ``verdict``:
    None where nothing that is modelled prints the message.  ``log_kernel``: the state
    that it was judged in.
    """

    verdict: str | None
    happened: str
    advice: tuple[str, ...]
    log_kernel: str | None


@dataclass(frozen=True, slots=True)
class Explanation(Answer):
    """``explain``: the messages of a log; ``kernel`` is empty where none was named."""

    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Capacity(Answer):
    """``capacity``: whether a mix always succeeds in a pool, whatever came before.

    ``together``: how many of its mappings always succeed at once.  ``least_nslabs`` and
    ``least_nareas``: the least pool that guarantees the mix, in slots and areas; None
    where none does or none is needed.  ``reason``: why none does, or none is needed.
    """

    verdict: str
    nslabs: int
    nareas: int
    together: int | None
    least_nslabs: int | None
    least_nareas: int | None
    reason: str | None


def _named(findings: tuple[Finding, ...], name: str) -> Finding:
    for finding in findings:
        if finding.property == name:
            return finding
    raise KeyError(name)
