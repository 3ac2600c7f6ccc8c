# SPDX-License-Identifier: GPL-2.0-only
"""The functions of a small tree, compiled and run in a child process."""

from __future__ import annotations

import platform
import random
import shutil
import socket
import subprocess
from pathlib import Path as FilePath

import pytest

from bounceproof.models.request import Cell, Path
from bounceproof.source.extract.run import PoolNumbers
from bounceproof.source.native.fence import takes_network_away
from bounceproof.source.native.native import NativeError, _execute, run_native
from bounceproof.source.tree.tree import Tree
from tests.conftest import Run
from tests.source.shapes import CIRCULAR, COUNTED, files, tree
from tests.source.test_shapes import without_areas
from tests.source.trees import SWIOTLB, DictStore, proved_kernel

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc")


@pytest.mark.parametrize("search", [COUNTED, CIRCULAR])
def test_agrees_with_the_reader(search: str) -> None:
    kernel = proved_kernel(tree(search))
    dice = random.Random(11)
    for _ in range(6):
        cell = Cell(4096, 4096, Path.DIRECT, dice.choice((0, 0xFFF, 0x3FFF)))
        pool = PoolNumbers(dice.getrandbits(20) << 12, 256, 1, 8 * dice.randrange(32))
        orig, size = dice.getrandbits(36), dice.randrange(1, 200 << 10)
        native = run_native(kernel, cell, orig, size, pool)
        assert native == kernel.run(cell, orig, size, pool).outcome


def test_a_pool_without_areas() -> None:
    kernel, cell = without_areas(COUNTED), Cell(4096, 4096, Path.DIRECT, 0xFFF)
    pool = PoolNumbers(1 << 30, 256, 1, 131)
    native = run_native(kernel, cell, 0x12345600, 9000, pool)
    assert native == kernel.run(cell, 0x12345600, 9000, pool).outcome
    assert native.ok


def test_an_endless_search_is_ended() -> None:
    kernel = proved_kernel(tree(CIRCULAR))
    cell = Cell(4096, 4096, Path.DIRECT, 0x3FFF)
    pool = PoolNumbers(1 << 30, 256, 1, 4)
    outcome = run_native(kernel, cell, 0x1800, 258 << 10, pool)
    assert outcome.hang is True


def test_what_cannot_be_compiled_stops_when_reached() -> None:
    texts = files()
    texts[SWIOTLB] = texts[SWIOTLB].replace(
        "mapping_size > alloc_size", "strange(mapping_size)"
    )
    kernel = proved_kernel(Tree(DictStore(texts), "changed"))
    cell = Cell(4096, 4096, Path.DIRECT, 0xFFF)
    with pytest.raises(NativeError, match="strange"):
        run_native(kernel, cell, 0x1000, 100, PoolNumbers(1 << 30, 256))


def test_a_struct_that_is_not_read_is_left_out() -> None:
    texts = files()
    texts["include/linux/device.h"] = """
struct shown { struct kobject kobj; int mode; };
"""
    kernel = proved_kernel(Tree(DictStore(texts), "changed"))
    cell = Cell(4096, 4096, Path.DIRECT, 0xFFF)
    native = run_native(kernel, cell, 0x1000, 100, PoolNumbers(1 << 30, 256))
    assert native.ok


SOCKETS = """
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <unistd.h>
int main(void)
{
	int families[] = { AF_INET, AF_INET6, AF_UNIX }, open = 0;
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = PORT };
	int ends[2], one = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_addr.s_addr = 0x0100007f;
	for (int i = 0; i < 3; i++)
		open += socket(families[i], SOCK_DGRAM, 0) >= 0;
	open += socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0;
	open += syscall(425, 4, ends) >= 0;
	printf("open=%d\\n", open);
	printf("reached=%d\\n", one >= 0 && !connect(one, (void *)&to, sizeof(to)));
	return 0;
}
"""


def test_compiled_code_reaches_no_network(tmp_path: FilePath) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = socket.htons(server.getsockname()[1])
        source, binary = tmp_path / "s.c", tmp_path / "s"
        source.write_text(SOCKETS)
        build = ["gcc", "-w", f"-DPORT={port}", "-o", str(binary), str(source)]
        subprocess.run(build, check=True)
        free = subprocess.run([binary], capture_output=True, text=True, check=True)
        assert "reached=1" in free.stdout
        if not takes_network_away():
            pytest.skip("this system keeps us from fencing a child in")
        assert "reached=0" in (_execute(binary, tmp_path) or "")
        if platform.machine() in ("x86_64", "aarch64"):
            assert "open=0" in (_execute(binary, tmp_path) or "")


def test_a_fence_that_cannot_be_put_up_is_told(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: FilePath
) -> None:
    for name, text in files(CIRCULAR).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    where = ("--path", "direct", "--page-size", "4K", "--property", "halts")
    told = "--native: this system does not let us take the code's network away"
    assert told not in run("check", str(tmp_path), *where, "--native").err
    fence = "bounceproof.source.native.fence.takes_network_away"
    monkeypatch.setattr(fence, lambda: False)
    assert told in run("check", str(tmp_path), *where, "--native").err
