# SPDX-License-Identifier: GPL-2.0-only
"""Drivers as data: the devices that stand for them, and all of them in one answer."""

from __future__ import annotations

import pytest

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.catalog import device, kernel_state
from bounceproof.models.request import Cell, Path
from bounceproof.models.requests.devices import DEVICES, DRIVERS
from bounceproof.source.tree.tree import open_tree
from tests.conftest import Run
from tests.source.test_debian import archive_of

LATEST = BuiltinKernel(kernel_state("latest"))
DIRECT = Cell(4096, 4096, Path.DIRECT, 0)
ASKED = ("--property", "fits", "--path", "direct", "--page-size", "4K")
POOL = ("--nslabs", "256", "--nareas", "1", "--size", "4096")
CALLS = ("dma_max_mapping_size(", "dma_opt_mapping_size(", "dma_set_min_align_mask(")


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("usb-storage", 256 << 10),
        ("mmc", 256 << 10),
        ("netvsc", 64 << 10),
        ("drm", 256 << 10),
        ("storvsc", 252 << 10),
    ],
)
def test_the_limit_is_the_least_of_all_that_bound_it(name: str, limit: int) -> None:
    found = device(name)
    mask = found.min_align_mask or 0
    cell = Cell(4096, 4096, Path.DIRECT, mask)
    assert found.max_size(LATEST, cell) == limit


def test_a_driver_with_a_bound_of_its_own_keeps_it_where_nothing_else_bounds() -> None:
    before = BuiltinKernel(kernel_state("v6.2.12"))
    behind = Cell(4096, 4096, Path.IOMMU, 0)
    assert device("usb-storage").max_size(before, behind) == 2048 * 512
    assert device("mmc").max_size(before, behind) == 512 << 10


def test_every_device_but_the_generic_one_stands_for_drivers() -> None:
    assert {d.name for d in DEVICES} - {d.name for d in DRIVERS} == {"generic"}


@pytest.mark.trees
@pytest.mark.parametrize("name", [d.name for d in DRIVERS])
def test_its_source_asks_the_dma_layer(name: str) -> None:
    tree = open_tree(str(archive_of("7.3")))
    for path in device(name).source.split(", "):
        text = tree.read(path) or ""
        assert any(call in text for call in CALLS) or path.endswith("virtio_blk.c")


def test_all_devices_are_asked_in_one_answer(run: Run) -> None:
    found = run("check", "latest", "--device", "all", *ASKED, *POOL, "--json")
    assert (found.code, found.json["verdict"]) == (0, "holds")
    assert [one["device"] for one in found.json["devices"]] == [d.name for d in DRIVERS]
    text = run("check", "latest", "--device", "all", *ASKED, *POOL).out
    assert "check v7.3.4, every device: holds" in text
    assert all(f"  {d.name}" in text for d in DRIVERS)


def test_one_that_breaks_is_named_with_its_request(run: Run) -> None:
    machine = ("--page-size", "64K", "--path", "iommu", "--size", "197120")
    pool = ("--nslabs", "256", "--nareas", "1", "--property", "fits")
    found = run("check", "v6.9", "--device", "all", *machine, *pool)
    assert found.code == 1
    assert "nvme: NVMe on PCI" in found.out and "197120 bytes at 0x10004" in found.out
    assert "Left out: storvsc: it does not take path iommu" in found.out
    assert "Left out: drm: --size 197120: drm sends multiples of 4096" in found.out


def test_where_no_device_takes_the_path_nothing_is_asked(run: Run) -> None:
    refused = run("check", "latest", "--device", "all", "--path", "alloc")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err == ("bounceproof: --device all: it does not take path alloc\n")


def test_a_kernel_without_any_of_the_configurations_is_unknown(run: Run) -> None:
    asked = ("--device", "all", "--path", "link", "--property", "halts")
    assert run("check", "latest", *asked, "--size", "1G").code == 3


def test_native_wants_one_device(run: Run) -> None:
    refused = run("check", "latest", "--device", "all", "--native")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err == "bounceproof: --native: name one device\n"
