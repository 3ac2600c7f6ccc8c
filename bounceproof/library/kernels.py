# SPDX-License-Identifier: GPL-2.0-only
"""A kernel by its name: a built-in state, a tree, a revision, patches on it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.catalog import base_state, kernel_state
from bounceproof.models.request import KernelModel
from bounceproof.models.requests.validate import BadInput

if TYPE_CHECKING:
    from bounceproof.source.kernel.confirm import TreeKernel
    from bounceproof.source.tree.tree import Tree


def is_tree(name: str) -> bool:
    """Whether a kernel's name is a place in the file system, or a revision of one."""
    ends = [len(name), *(at for at, letter in enumerate(name) if letter == "@")]
    return (
        "/" in name
        or name.startswith(("~", "."))
        or any(os.path.exists(name[:end]) for end in ends)  # noqa: PTH110
    )


def _config(settings: Mapping[str, str]) -> dict[str, str]:
    """Settings with CONFIG_ before each key."""
    return {
        key if key.startswith("CONFIG_") else f"CONFIG_{key}": value
        for key, value in settings.items()
    }


def tree_kernel(
    name: str, patches: Sequence[str], settings: Mapping[str, str]
) -> KernelModel:
    """The kernel of a tree, revision or archive, with patches applied in memory.

    Raises BadInput for a setting that nothing in the tree asks about, or a SourceError.
    """
    from bounceproof.solver.trees.prover import SolverProver
    from bounceproof.source.kernel.confirm import TreeKernel
    from bounceproof.source.program.prelude import DEFAULT_CONFIG
    from bounceproof.source.tree.tree import open_tree

    tree = open_tree(os.path.expanduser(name), list(patches))  # noqa: PTH111
    config = _config(settings)
    for key, value in config.items():
        if value != "n" and key not in DEFAULT_CONFIG and not tree.speaks_of(key):
            raise BadInput("config", key, "no file that is read has that name")
    return TreeKernel(tree, config, SolverProver())


def kernel_of(tree: Tree, config: dict[str, str] | None = None) -> TreeKernel:
    """The kernel of a tree that is open, under a configuration."""
    from bounceproof.solver.trees.prover import SolverProver
    from bounceproof.source.kernel.confirm import TreeKernel

    return TreeKernel(tree, config, SolverProver())


def open_kernel(
    name: str, patches: Sequence[str] = (), settings: Mapping[str, str] | None = None
) -> KernelModel:
    """The kernel that ``name`` stands for, read under ``settings``.

    Raises BadInput, UnknownName, FixDoesNotApply or a SourceError.
    """
    settings = {} if settings is None else settings
    if is_tree(name):
        return tree_kernel(name, patches, settings)
    if patches:
        why = f"{name} is built in; patch a tree"
        raise BadInput("patch", f"'{patches[0]}'", why)
    if settings:
        key, value = next(iter(settings.items()))
        raise BadInput("config", f"'{key}={value}'", f"{name} is built in")
    return BuiltinKernel(kernel_state(name))


def base_kernel(
    name: str,
    model: KernelModel,
    patches: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
) -> KernelModel:
    """What ``model``, named ``name``, is without its fixes or patches."""
    if not is_tree(name):
        return BuiltinKernel(base_state(name))
    return tree_kernel(name, (), settings or {}) if patches else model
