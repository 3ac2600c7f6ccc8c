# SPDX-License-Identifier: GPL-2.0-only
"""What an answer about trees was given on: tree, commit, patches, configuration."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from bounceproof import __version__
from bounceproof.models.request import Configured, KernelModel
from bounceproof.report.text import table, wrap

if TYPE_CHECKING:
    from bounceproof.solver.answers.check import Checked
    from bounceproof.source.tree.provenance import HunkJudged, Judged, PatchJudged

_HUNKS = 12
"""Hunks of a patch that text lists one by one."""


@runtime_checkable
class SaysWhatWasJudged(Protocol):
    """A kernel that was read from files."""

    def judged(self) -> Judged: ...


def label(model: KernelModel) -> str:
    """What to call a kernel where there may be another one of the same tree."""
    options = model.options if isinstance(model, Configured) else ()
    patches = [PurePath(value).name for name, value in options if name == "--patch"]
    if not patches:
        return model.name
    return f"{model.name} with {', '.join(patches)}"


def judged_of(models: Iterable[KernelModel]) -> list[Judged]:
    """The records of those kernels that were read from files."""
    found = (m.judged() for m in models if isinstance(m, SaysWhatWasJudged))
    return list(dict.fromkeys(found))


def _patch_json(patch: PatchJudged) -> dict[str, Any]:
    return {
        "name": patch.name,
        "subject": patch.subject,
        "author": patch.author,
        "read": patch.read,
        "hunks": [
            {
                "file": hunk.file,
                "start": hunk.start,
                "lines": hunk.lines,
                "function": hunk.function,
                "read": hunk.read,
            }
            for hunk in patch.hunks
        ],
    }


def judged_json(record: Judged) -> dict[str, Any]:
    """One record as JSON."""
    return {
        "tree": record.tree,
        "version": record.version,
        "commit": record.commit,
        "subject": record.subject,
        "dirty": record.dirty,
        "patches": [_patch_json(patch) for patch in record.patches],
        "config": dict(record.config),
        "warnings": list(record.warnings),
    }


def tool_json() -> dict[str, str | None]:
    """The versions of what gave the answer; None for what is not installed."""
    from bounceproof.solver.smt.engine import solver_versions

    python = platform.python_version()
    return {"bounceproof": __version__, "python": python, **solver_versions()}


def sources_json(models: Iterable[KernelModel]) -> list[dict[str, Any]]:
    """The records of those kernels that were read from files, as JSON."""
    return [judged_json(record) for record in judged_of(models)]


def about(models: Iterable[KernelModel]) -> dict[str, Any]:
    """The JSON fields that say what an answer was given on, and with what."""
    return {"sources": sources_json(models), "tool": tool_json()}


def answer_json(
    command: str, fields: dict[str, Any], models: Iterable[KernelModel]
) -> str:
    """One JSON object, schema 1: the answer, what was judged, and with what."""
    return json.dumps({"schema": 1, "command": command, **fields, **about(models)})


def _place(hunk: HunkJudged) -> str:
    where = f"{hunk.file}:{hunk.start}"
    return where if hunk.function is None else f"{where} {hunk.function}()"


def _patch_text(patch: PatchJudged) -> str:
    by = f" by {patch.author}" if patch.author else ""
    subject = f': "{patch.subject}"{by}' if patch.subject else ""
    read = [hunk for hunk in patch.hunks if hunk.read]
    unread = [hunk for hunk in patch.hunks if not hunk.read]
    parts = []
    for name, hunks in (("read", read), ("not read", unread)):
        if hunks:
            places = [_place(hunk) for hunk in hunks[:_HUNKS]]
            more = len(hunks) - len(places)
            places += [f"{more} more"] if more else []
            parts.append(f"{name}: {', '.join(places)}")
    return f"{PurePath(patch.name).name}{subject}; {'; '.join(parts) or 'no hunks'}"


def _commit_text(record: Judged) -> str | None:
    if record.commit is None:
        return None
    subject = f' "{record.subject}"' if record.subject else ""
    dirty = ", with changes to files that are read" if record.dirty else ""
    return f"{record.commit[:12]}{subject}{dirty}"


def _record_text(record: Judged, stated: Iterable[str]) -> list[str]:
    version = f", version {record.version}" if record.version else ""
    rows = [("tree", f"{record.tree}{version}")]
    commit = _commit_text(record)
    rows += [("commit", commit)] if commit else []
    rows += [("patch", _patch_text(patch)) for patch in record.patches]
    settings = [f"{k}={v}" for k, v in record.config if k in stated]
    others = len(record.config) - len(settings)
    text = ", ".join([*settings, f"{others} as --assumptions lists them"])
    rows.append(("config", text))
    return table(rows)


def _stated(model: KernelModel) -> tuple[str, ...]:
    options = model.options if isinstance(model, Configured) else ()
    return tuple(v.partition("=")[0] for n, v in options if n == "--config")


def judged_text(models: Iterable[KernelModel]) -> list[str]:
    """What was judged, warnings first; nothing for built-in kernels alone."""
    models = list(models)
    records = judged_of(models)
    if not records:
        return []
    stated = {name for model in models for name in _stated(model)}
    warnings = dict.fromkeys(w for record in records for w in record.warnings)
    lines = [wrap(f"warning: {warning}", "", "  ") for warning in warnings]
    lines += [""] if lines else []
    lines.append("Judged:")
    for record in records:
        lines += _record_text(record, stated)
    return [*lines, ""]


def tool_text(models: Iterable[KernelModel]) -> list[str]:
    """The line on versions that ends an answer about trees."""
    if not any(isinstance(model, SaysWhatWasJudged) for model in models):
        return []
    named = [f"{name} {version}" for name, version in tool_json().items() if version]
    return ["", wrap(f"Answered by {', '.join(named)}.")]


def proved_text(checked: Checked) -> list[str]:
    """The line on what a tree's ``holds`` rests on."""
    names = proved_names(checked)
    if not names:
        return []
    told = f"Proved of the code, for all inputs: {', '.join(names)}; see --assumptions."
    return [wrap(told), ""]


def proved_names(checked: Checked) -> list[str]:
    """What is proved of a tree's code where something holds of it."""
    from bounceproof.source.program.assumptions import END, LISTS, PROVED, SEARCH

    ruled, ranked = checked.holds_by_rule, checked.holds_by_ranking
    if not isinstance(checked.model, SaysWhatWasJudged) or not (ruled or ranked):
        return []
    left_out = set() if ranked else {END}
    left_out |= set() if ruled else {SEARCH, LISTS}
    return [name for name, _ in PROVED if name not in left_out]
