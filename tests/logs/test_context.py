# SPDX-License-Identifier: GPL-2.0-only
"""What else a log tells, and the built-in state nearest to its version."""

from __future__ import annotations

import pytest

from bounceproof.logs.told.version import nearest_state, state_version
from bounceproof.models.catalog import STATES
from tests.logs.helpers import FULL, THREAD_BOOT, scanned


def _facts(log: str) -> dict[str, object]:
    (seen,) = scanned(log + FULL + "\n").seen
    return seen.facts.shown()


def test_boot_of_the_thread() -> None:
    facts = _facts(THREAD_BOOT)
    assert facts["version"] == "6.6.0"
    assert facts["page_size"] == 65536
    assert facts["nareas"] == 8
    assert facts["pool_start"] == 0xBB800000
    assert facts["nslabs"] == 32768


@pytest.mark.parametrize(
    ("line", "size"),
    [
        ("Dentry cache hash table entries: 4 (order: 5, 131072 bytes, linear)", 4096),
        ("TCP bind hash table entries: 4 (order: 3, 524288 bytes, linear)", 65536),
        ("percpu: Embedded 31 pages/cpu s88168 r8192 d30616 u126976", 4096),
        ("percpu: Embedded 3 pages/cpu s88168 r8192 d100248 u196608", 65536),
        ("HugeTLB: registered 512 MiB page size, pre-allocated 0 pages", 65536),
        ("HugeTLB registered 1.00 GiB page size, pre-allocated 0 pages", 4096),
        ("Linux version 5.14.0-427.el9.aarch64+64k (mock)", 65536),
        ("Linux version 6.5.0-1014-nvidia-64k (buildd) (Ubuntu x)", 65536),
        ("Linux version 6.1.0-18-amd64 (debian) #1 SMP Debian 6.1.76-1", 4096),
        ("CONFIG_ARM64_16K_PAGES=y", 16384),
        ("BIOS-e820: [mem 0x0-0x9fbff] usable", 4096),
        ("DMAR: IOMMU enabled", 4096),
        ("DMA hash table entries: 4 (order: 99, 524288 bytes, linear)", None),
    ],
)
def test_page_size(line: str, size: int | None) -> None:
    assert _facts(f"[ 0.0] {line}\n").get("page_size") == size


def test_command_line_and_iommu() -> None:
    facts = _facts(
        "[0.0] Kernel command line: ro swiotlb=65536,8,force iommu.passthrough=0\n"
        "[0.1] iommu: Default domain type: Translated\n"
        "[0.2] nvme 0000:00:01.0: Adding to iommu group 3\n"
        "[0.3] smp: Brought up 1 node, 6 CPUs\n"
        "[0.4] Memory Encryption Features active: AMD SEV SEV-ES\n"
    )
    assert facts["swiotlb_option"] == "65536,8,force"
    assert facts["iommu_options"] == ["iommu.passthrough=0"]
    assert facts["default_domain"] == "translated"
    assert facts["iommu_devices"] == ["0000:00:01.0"]
    assert facts["cpus"] == 6
    assert facts["confidential"] == "AMD SEV SEV-ES"


def test_smmu_granule() -> None:
    line = "arm-smmu 2b400000.smmu: Supported page sizes: 0x40201000\n"
    assert _facts(THREAD_BOOT + line)["granule"] == 4096


def test_each_boot_has_its_own_facts() -> None:
    boots = [
        "Linux version 6.1.50 x\n" + FULL + "\n",
        "Linux version 6.6.50 x\nDMAR: IOMMU enabled\n" + FULL + "\n",
    ]
    scan = scanned("".join(boots))
    assert [s.facts.version for s in scan.seen] == ["6.1.50", "6.6.50"]
    assert [s.facts.page_size for s in scan.seen] == [None, 4096]


def test_repeated_banner_is_one_boot() -> None:
    scan = scanned("Linux version 6.1.50 x\n" * 2 + FULL)
    assert len(scan.boots) == 1


@pytest.mark.parametrize("name", STATES)
def test_every_state_is_nearest_to_itself(name: str) -> None:
    nearest = nearest_state(name[1:])
    assert nearest is not None and nearest.same
    same = STATES[nearest.state].decisions() == STATES[name].decisions()
    assert nearest.state == name or same


@pytest.mark.parametrize(
    ("version", "state", "same"),
    [
        ("4.4.0", "v5.10.223", False),
        ("5.10.30", "v5.10.223", False),
        ("5.10.250", "v5.10.223", True),
        ("5.15.200", "v6.1.192", False),
        ("6.1.83", "v6.2.12", True),
        ("6.1.84", "v6.1.192", True),
        ("6.6.2", "v6.6", True),
        ("6.6.23", "v6.6.9", True),
        ("6.6.24", "v6.6.24", True),
        ("6.6.34", "v6.6.24", True),
        ("6.6.99", "v6.6.35", True),
        ("6.7.12", "v6.6.24", True),
        ("6.8.0-rc4", "v6.8.1", False),
        ("6.11.3", "v6.10", True),
        ("6.14", "v6.12.107", False),
        ("9.1", "v7.3.4", False),
    ],
)
def test_nearest(version: str, state: str, same: bool) -> None:
    nearest = nearest_state(version)
    assert nearest is not None
    assert (nearest.state, nearest.same) == (state, same)


def test_distribution_is_approximated() -> None:
    nearest = nearest_state("6.5.13", "Ubuntu")
    assert nearest is not None and not nearest.same


def test_no_version() -> None:
    assert nearest_state("mainline") is None
    assert state_version("v6.6+will-v3") == (6, 6, 0)
