# SPDX-License-Identifier: GPL-2.0-only
"""``explain`` as a function."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, BinaryIO

from bounceproof.errors import InputError
from bounceproof.library.ask import File, kernel_name, paths
from bounceproof.library.kernels import is_tree, open_kernel
from bounceproof.library.results import Explanation, Message
from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.catalog import device as device_named
from bounceproof.models.constants import PAGE_SIZES
from bounceproof.models.request import KernelModel, Path
from bounceproof.models.requests.validate import BadInput

if TYPE_CHECKING:
    from bounceproof.logs.explain import Asked
    from bounceproof.logs.told.version import Nearest


def named_kernel(
    name: str, patches: Sequence[str] = (), settings: Mapping[str, str] | None = None
) -> tuple[KernelModel, Nearest | None]:
    """The kernel of a log: a state, a tree, or what ``uname -r`` prints.

    With the built-in state that stands for the release, in the last case.
    Raises BadInput, UnknownName, FixDoesNotApply or a SourceError.
    """
    from bounceproof.logs.told.banner import release_of
    from bounceproof.logs.told.version import exists, nearest_state, parse_version

    if not name[:1].isdigit() or is_tree(name):
        return open_kernel(name, patches, settings), None
    told = release_of(name)
    version = parse_version(told.version) if told else None
    nearest = None
    if told is not None and version is not None and exists(version):
        nearest = nearest_state(told.version, told.distribution, told.hidden_patch)
    if nearest is None:
        raise BadInput("kernel", f"'{name}'", "no such release")
    return open_kernel(nearest.state, patches, settings), nearest


def check_sizes(page_size: int | None, granule: int | None) -> None:
    """Raise BadInput for a size that logs cannot be asked about (bytes)."""
    for field, value in (("page_size", page_size), ("granule", granule)):
        if value is not None and value not in PAGE_SIZES:
            raise BadInput(field, value, "not 4096, 16384 or 65536")


def _asked(
    kernel: File | None,
    patches: tuple[str, ...],
    config: Mapping[str, str] | None,
    device: str | None,
    given: tuple[int | None, int | None, str | None],
) -> Asked:
    from bounceproof.logs.explain import Asked
    from bounceproof.logs.judge.candidates import Given

    if kernel is None and (patches or config):
        field = "patches" if patches else "config"
        raise InputError(f"{field}: name the tree as kernel")
    page, granule, path = given
    if path not in (None, Path.DIRECT.value, Path.IOMMU.value):
        raise BadInput("path", f"'{path}'", "not direct or iommu")
    model, nearest = None, None
    if kernel is not None:
        model, nearest = named_kernel(kernel_name(kernel), patches, config)
    state = model.state if isinstance(model, BuiltinKernel) else None
    what = None if device is None else device_named(device)
    known = Given(page, granule, None if path is None else Path(path))
    return Asked(model, state, what, known, nearest)


def _opened(log: str | bytes | os.PathLike[str]) -> BinaryIO:
    if isinstance(log, str):
        return io.BytesIO(log.encode("utf-8", "surrogateescape"))
    if isinstance(log, bytes):
        return io.BytesIO(log)
    try:
        return FilePath(log).open("rb")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"{os.fspath(log)}: {reason}") from None


def _message(told: Mapping[str, Any]) -> Message:
    return Message(
        verdict=told["verdict"],
        happened=told["happened"],
        advice=tuple(told["advice"]),
        log_kernel=told["kernel"],
    )


def explain(
    log: str | bytes | os.PathLike[str],
    *,
    kernel: File | None = None,
    device: str | None = None,
    patches: Sequence[File] | File = (),
    config: Mapping[str, str] | None = None,
    page_size: int | None = None,
    granule: int | None = None,
    path: str | None = None,
) -> Explanation:
    """Say what the swiotlb messages of a kernel log mean, as ``bounceproof explain``.

    ``log``: the text of a log, or the path of a file, plain or packed.  ``kernel``:
    instead of the version in the log; what ``uname -r`` prints will do.  What the
    arguments state (sizes in bytes) overrides what the log tells.

    Raises InputError, also where the log tells nothing of swiotlb, or another
    BounceproofError.
    """
    check_sizes(page_size, granule)
    given = (page_size, granule, path)
    asked = _asked(kernel, paths(patches), config, device, given)
    from bounceproof.logs.explain import explain as explanations_of
    from bounceproof.logs.read.scan import scan_log
    from bounceproof.report.explain import render_json, render_text

    name = os.fspath(log) if isinstance(log, os.PathLike) else "the log"
    with _opened(log) as stream:
        scan = scan_log(stream, name)
    found = list(explanations_of(scan, asked))
    told = json.loads(render_json(scan, found, asked.model))
    return Explanation(
        kernel="" if kernel is None else kernel_name(kernel),
        exit_code=0,
        text=render_text(scan, found, asked.model, False),
        details=render_text(scan, found, asked.model, True),
        json=told,
        messages=tuple(_message(one) for one in told["messages"]),
    )
