# SPDX-License-Identifier: GPL-2.0-only
"""A kernel tree: a directory, a git revision, an archive, with patches on top."""

from __future__ import annotations

import contextlib
import hashlib
import json
import lzma
import os
import re
import sys
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol, runtime_checkable

from bounceproof.source.errors import PatchError, TreeError
from bounceproof.source.tree.blocks import NoBlocks, read_members
from bounceproof.source.tree.git import blob_names, commit_of, git_output, is_blob
from bounceproof.source.tree.mail import MAX_BYTES
from bounceproof.source.tree.patch import FilePatch, Landed, apply_patch, parse_patch

MAX_FILE = 8 << 20
MAX_ARCHIVE = 8 << 30

SOURCES = (
    "kernel/dma/swiotlb.c",
    "kernel/dma/direct.c",
    "kernel/dma/mapping.c",
    "drivers/iommu/dma-iommu.c",
    "drivers/iommu/iova.c",
    "drivers/nvme/host/pci.c",
)
HEADERS = (
    "include/linux/sizes.h",
    "include/linux/dma-direction.h",
    "include/linux/device.h",
    "include/linux/iommu.h",
    "include/linux/dma-mapping.h",
    "include/linux/dma-map-ops.h",
    "include/linux/swiotlb.h",
    "include/linux/dma-direct.h",
    "include/linux/iova.h",
    "include/linux/iommu-helper.h",
    "include/linux/iommu-dma.h",
    "include/linux/dma-iommu.h",
    "kernel/dma/direct.h",
    "drivers/iommu/dma-iommu.h",
    "drivers/nvme/host/nvme.h",
)
ABOUT = ("Makefile", "drivers/pci/probe.c", "include/linux/pci.h")
"""Files that no answer depends on: the version, and who meets what is found."""
WANTED = frozenset((*SOURCES, *HEADERS, *ABOUT))


_INCLUDE = re.compile(r"""^[ \t]*#[ \t]*include[ \t]*[<"]([^>"\n]+)[>"]""", re.M)


class Store(Protocol):
    """Where the unpatched files are."""

    def read(self, path: str) -> str | None: ...
    def want(self, paths: Iterable[str]) -> None: ...


@dataclass(frozen=True, slots=True)
class Identity:
    """A commit, its subject, and whether the files asked about differ from it."""

    commit: str
    subject: str
    dirty: bool


@runtime_checkable
class Committed(Protocol):
    """A store that may know the commit its files are of."""

    def identity(self, paths: Iterable[str]) -> Identity | None: ...


class DirectoryStore:
    """Files below a directory; symbolic links that leave it are not followed."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def want(self, paths: Iterable[str]) -> None:
        """Nothing to prepare."""

    def read(self, path: str) -> str | None:
        try:
            full = (self.root / path).resolve()
            if not full.is_relative_to(self.root) or not full.is_file():
                return None
            if full.stat().st_size > MAX_FILE:
                raise TreeError(f"{path}: larger than {MAX_FILE >> 20} MiB")
            return full.read_bytes().decode("utf-8", "surrogateescape")
        except (OSError, RuntimeError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise TreeError(f"{str(self.root / path)[:300]}: {why}") from None

    def identity(self, paths: Iterable[str]) -> Identity | None:
        """HEAD of the work tree whose top is the directory; None where it is none.

        None too where git is missing or does not answer.
        """
        with contextlib.suppress(TreeError):
            top = git_output(self.root, "rev-parse", "--show-toplevel")
            found = None if top is None else commit_of(self.root, "HEAD")
            if top is None or found is None:
                return None
            if Path(os.fsdecode(top.removesuffix(b"\n"))).resolve() != self.root:
                return None
            wanted = list(paths)
            names = blob_names(self.root, found[0], wanted)
            dirty = any(self._differs(path, names.get(path)) for path in wanted)
            return Identity(*found, dirty)
        return None

    def _differs(self, path: str, blob: str | None) -> bool:
        text = self.read(path)
        if text is None or blob is None:
            return text is not None or blob is not None
        return not is_blob(text.encode("utf-8", "surrogateescape"), blob)


class GitStore:
    """Files of one revision, out of the object store; nothing is checked out."""

    def __init__(self, repository: Path, revision: str) -> None:
        self.repository = repository
        if revision.startswith("-") or not revision:
            raise TreeError(f"`{revision}` is not a git revision")
        self.revision = revision
        found = git_output(
            repository, "rev-parse", "--verify", "--quiet", f"{revision}^{{tree}}"
        )
        if found is None:
            raise TreeError(f"{repository}: no git revision `{revision}`")
        self.tree = found.decode().strip()

    def want(self, paths: Iterable[str]) -> None:
        """Nothing to prepare."""

    def read(self, path: str) -> str | None:
        data = git_output(self.repository, "cat-file", "blob", f"{self.tree}:{path}")
        if data is not None and len(data) > MAX_FILE:
            raise TreeError(f"{path}: larger than {MAX_FILE >> 20} MiB")
        return None if data is None else data.decode("utf-8", "surrogateescape")

    def identify(self, paths: Sequence[str]) -> str:
        """A name for the content of ``paths``, without reading it."""
        listed = git_output(self.repository, "ls-tree", "-z", self.tree, "--", *paths)
        return hashlib.sha256(listed or b"").hexdigest()

    def identity(self, paths: Iterable[str]) -> Identity | None:
        """The revision's commit; None where it is a tree of none."""
        found = commit_of(self.repository, self.revision)
        return None if found is None else Identity(*found, False)


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "bounceproof"


class ArchiveStore:
    """Files of a tar archive; the top directory is dropped.

    The archive is read through once; the files that matter are then kept in the
    user's cache directory, under a name made of its path, time and size.
    """

    def __init__(self, archive: Path) -> None:
        self.archive = archive
        self._wanted: set[str] = set(WANTED)
        self._files: dict[str, str] | None = None

    def want(self, paths: Iterable[str]) -> None:
        """Also keep ``paths`` when the archive is read."""
        if not self._wanted.issuperset(paths):
            self._wanted.update(paths)
            self._files = None

    def read(self, path: str) -> str | None:
        if path not in self._wanted:
            self.want([path])
        if self._files is None:
            self._files = self._remembered() or self._scan()
            self._remember(self._files)
        return self._files.get(path)

    def _cache(self) -> Path:
        """Where what was read of this archive is kept between runs."""
        state = self.archive.stat()
        parts = (str(self.archive.resolve()), state.st_mtime_ns, state.st_size)
        wanted = sorted(self._wanted)
        name = hashlib.sha256(json.dumps([parts, wanted]).encode()).hexdigest()
        return _cache_folder() / f"{name}.json"

    def _remembered(self) -> dict[str, str] | None:
        try:
            held = json.loads(self._cache().read_bytes())
        except (OSError, RuntimeError, ValueError):
            return None
        return held if isinstance(held, dict) else None

    def _remember(self, files: dict[str, str]) -> None:
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            cache = self._cache()
            if cache.exists():
                return
            cache.parent.mkdir(parents=True, exist_ok=True)
            scratch = cache.with_suffix(f".{os.getpid()}")
            scratch.write_text(json.dumps(files))
            scratch.replace(cache)

    def _scan(self) -> dict[str, str]:
        with contextlib.suppress(NoBlocks, OSError, lzma.LZMAError):
            found = read_members(self.archive, self._wanted, MAX_FILE)
            return {p: d.decode("utf-8", "surrogateescape") for p, d in found.items()}
        try:
            with tarfile.open(self.archive, "r|*") as archive:
                return self._collect(archive)
        except (tarfile.TarError, OSError, EOFError) as error:
            raise TreeError(f"{self.archive}: {error}") from None
        except Exception as error:  # lzma.LZMAError, zlib.error: no common base
            raise TreeError(f"{self.archive}: not readable: {error}") from None

    def _collect(self, archive: tarfile.TarFile) -> dict[str, str]:
        files: dict[str, str] = {}
        for member in archive:
            if member.offset > MAX_ARCHIVE:
                raise TreeError(f"{self.archive}: more than {MAX_ARCHIVE >> 30} GiB")
            parts = PurePosixPath(member.name).parts
            path = "/".join(parts[1:])
            if path not in self._wanted or not member.isfile():
                continue
            if member.size > MAX_FILE:
                raise TreeError(f"{path}: larger than {MAX_FILE >> 20} MiB")
            stream = archive.extractfile(member)
            if stream is not None:
                files[path] = stream.read().decode("utf-8", "surrogateescape")
            if len(files) == len(self._wanted):
                break
        return files


class Tree:
    """The files of one kernel, patched.

    ``name`` is what the user called it, ``added`` the paths that patches create, but
    for headers that nothing includes,
    ``patches`` the files they can be read from again, ``landed`` what they changed,
    in order.
    """

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self.name = name
        self.added: tuple[str, ...] = ()
        self._born: tuple[str, ...] = ()
        self.touched: tuple[str, ...] = ()
        self.patches: tuple[str, ...] = ()
        self.landed: tuple[Landed, ...] = ()
        self._patched: dict[str, str | None] = {}
        self._read: dict[str, str | None] = {}

    def read(self, path: str) -> str | None:
        """The text of ``path`` with the patches applied, or None."""
        if path in self._patched:
            return self._patched[path]
        if path not in self._read:
            self._read[path] = self._store.read(path)
        return self._read[path]

    def apply(self, changes: list[FilePatch], name: str) -> None:
        """Apply one patch; PatchError where a hunk does not fit."""
        paths = [path for change in changes for path in change.paths]
        self._store.want(paths)
        before = {path for path in paths if self.read(path) is None}
        applied = apply_patch(changes, self.read)
        result = applied.files
        self.patches = (*self.patches, name)
        self.landed = (*self.landed, *applied.landed)
        self._patched.update(result)
        born = [p for p in result if p in before and result[p] is not None]
        self._born = tuple(dict.fromkeys((*self._born, *born)))
        self.touched = tuple(dict.fromkeys((*self.touched, *result)))
        self.added = self._joined()

    def _joined(self) -> tuple[str, ...]:
        """What patches create, but for headers that no other file includes."""
        waiting = [path for path in self._born if path.endswith(".h")]
        files = [p for p in (*SOURCES, *HEADERS, *self.touched) if p not in waiting]
        joined = [path for path in self._born if path not in waiting]
        while files:
            names = {name for path in files for name in self._includes(path)}
            files = [p for p in waiting if any(_ends(p, name) for name in names)]
            waiting = [path for path in waiting if path not in files]
            joined += files
        return tuple(path for path in self._born if path in joined)

    def _includes(self, path: str) -> list[str]:
        return _INCLUDE.findall(self.read(path) or "")

    def removal(self, path: str) -> FilePatch | None:
        """The change that left the tree without ``path``, if a patch did."""
        changes = [landed.change for landed in self.landed]
        return next((c for c in reversed(changes) if c.removes(path)), None)

    def identity(self) -> Identity | None:
        """The commit below the patches; None where there is none."""
        if not isinstance(self._store, Committed):
            return None
        return self._store.identity((*SOURCES, *HEADERS, *self.touched))

    @property
    def version(self) -> str | None:
        """The version the top Makefile states, or None."""
        text = self.read("Makefile") or ""
        found: dict[str, str] = dict(
            re.findall(
                r"^(VERSION|PATCHLEVEL|SUBLEVEL|EXTRAVERSION)[ \t]*=[ \t]*(\S*)",
                text,
                re.M,
            )
        )
        if not found.get("VERSION"):
            return None
        parts = [found["VERSION"], found.get("PATCHLEVEL", "0")]
        if found.get("SUBLEVEL", "0") not in ("", "0"):
            parts.append(found["SUBLEVEL"])
        return ".".join(parts) + found.get("EXTRAVERSION", "")

    def speaks_of(self, word: str) -> bool:
        """Whether a file that matters has ``word``."""
        found = re.compile(rf"\b{re.escape(word)}\b")
        paths = (*SOURCES, *HEADERS, *self.added)
        return any(found.search(self.read(path) or "") for path in paths)

    def fingerprint(self) -> str:
        """A name for the content of the files that matter."""
        digest = hashlib.sha256()
        for path in sorted((*SOURCES, *HEADERS, *self.added)):
            text = self.read(path)
            digest.update(f"{path}\0{'-' if text is None else len(text)}\0".encode())
            digest.update((text or "").encode("utf-8", "surrogateescape"))
        return digest.hexdigest()


def _ends(path: str, name: str) -> bool:
    """Whether ``#include`` of ``name`` can mean ``path``."""
    parts = [part for part in name.split("/") if part not in (".", "..")]
    return f"/{path}".endswith("/" + "/".join(parts))


def open_tree(spec: str, patches: Sequence[str] = ()) -> Tree:
    """The tree ``spec`` with ``patches`` (paths, ``-`` for stdin) on top, in order.

    ``spec`` is a directory, ``DIRECTORY@REVISION`` or a tar archive.
    """
    tree = Tree(_open_store(spec), spec)
    for patch in patches:
        data = _patch_bytes(patch)
        tree.apply(parse_patch(data, patch), _kept(data) if patch == "-" else patch)
    _require_swiotlb(tree)
    return tree


def open_patched(spec: str, patch: bytes, name: str) -> Tree:
    """The tree ``spec`` with a patch that is at hand; ``name`` is for messages."""
    tree = Tree(_open_store(spec), spec)
    tree.apply(parse_patch(patch, name), _kept(patch))
    _require_swiotlb(tree)
    return tree


def _require_swiotlb(tree: Tree) -> None:
    """SourceError unless the tree, or a patch that moves it, leaves swiotlb.c."""
    path = "kernel/dma/swiotlb.c"
    if tree.read(path) is not None:
        return
    gone = tree.removal(path)
    if gone is None:
        raise TreeError(f"{tree.name}: no {path}: not a kernel tree")
    if gone.new_path is None or not gone.new_path.endswith(".c"):
        after = "" if gone.new_path is None else f": renamed to {gone.new_path}"
        raise PatchError(f"{gone.letter.where}: leaves no {path}{after}")


def _open_store(spec: str) -> Store:
    try:
        path = Path(spec).expanduser()
        if path.is_dir():
            return DirectoryStore(path)
        if path.is_file():
            return ArchiveStore(path)
        directory, revision = split_revision(spec)
    except (OSError, RuntimeError, ValueError) as error:
        raise TreeError(f"{spec}: {error}") from None
    if directory is not None:
        return GitStore(directory, revision)
    raise TreeError(f"{spec}: no such directory, archive or DIRECTORY@REVISION")


def split_revision(spec: str) -> tuple[Path | None, str]:
    """``DIRECTORY@REVISION`` as the two; None where there is no such directory."""
    for index in [i for i, c in enumerate(spec) if c == "@"]:
        directory = Path(spec[:index]).expanduser()
        if spec[:index] and directory.is_dir():
            return directory, spec[index + 1 :]
    return None, ""


def _kept(data: bytes) -> str:
    """A file that holds a patch of standard input, so that a command can be repeated.

    ``-`` where the user's cache cannot be written.
    """
    with contextlib.suppress(OSError, RuntimeError):
        place = _cache_folder() / f"{hashlib.sha256(data).hexdigest()[:16]}.patch"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        return str(place)
    return "-"


def _standard_input() -> bytes:
    try:
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise PatchError(f"-: {error}") from None


def _patch_bytes(patch: str) -> bytes:
    if patch == "-":
        if sys.stdin is None or sys.stdin.closed:
            raise PatchError("-: standard input is closed")
        return _standard_input()
    try:
        with Path(patch).expanduser().open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise PatchError(f"{patch}: {error.strerror}") from None
    except (RuntimeError, ValueError) as error:
        raise PatchError(f"{patch}: {error}") from None
