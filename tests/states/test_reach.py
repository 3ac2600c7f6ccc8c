# SPDX-License-Identifier: GPL-2.0-only
"""Who can meet a finding: rules of each release as data, and as the trees have them."""

from __future__ import annotations

import re
from pathlib import Path as FilePath

import pytest

from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.catalog import STATES, kernel_state
from bounceproof.models.reach.judge import one_set_areas, reached
from bounceproof.models.reach.records import RECORDS, record_of
from bounceproof.models.reach.rules import Reach, Untrusted
from bounceproof.models.request import Cell, Path, PoolKind
from bounceproof.report.reach import met
from bounceproof.source.kernel.kernel import SourceKernel
from bounceproof.source.kernel.untrusted import untrusted_rule
from bounceproof.source.tree.tree import open_tree
from tests.conftest import Run
from tests.source.test_debian import PACKAGES, archive_of

K = 1024
BELOW = """static void set_pcie_untrusted(struct pci_dev *dev)
{
\tif (up(dev)->external_facing)
\t\tdev->untrusted = true;
}
"""
REMOVABLE = """static void set_pcie_untrusted(struct pci_dev *dev)
{
\tif (arch_pci_dev_is_removable(dev))
\t\tdev->untrusted = true;
}
"""
HEADER = """#if defined(CONFIG_X86) && defined(CONFIG_ACPI)
bool arch_pci_dev_is_removable(struct pci_dev *pdev);
#else
static inline bool arch_pci_dev_is_removable(struct pci_dev *p) { return false; }
#endif
"""


def tree_of(folder: FilePath, probe: str, header: str) -> SourceKernel:
    for path, text in (
        ("kernel/dma/swiotlb.c", ""),
        ("drivers/pci/probe.c", probe),
        ("include/linux/pci.h", header),
    ):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return SourceKernel(open_tree(str(folder)))


def test_every_release_has_a_record_and_no_other() -> None:
    assert set(RECORDS) == set(STATES)
    assert record_of("v6.6+nicolin-v1-1") is RECORDS["v6.6"]
    assert record_of("v6.66") is None


@pytest.mark.parametrize(
    ("kernel", "page", "path", "reach"),
    [
        ("v7.3.4", 64 * K, Path.IOMMU, Reach.LATENT),
        ("v7.3.4", 64 * K, Path.LINK, Reach.LATENT),
        ("v7.3.4", 16 * K, Path.LINK, Reach.LATENT),
        ("v7.3.4", 4 * K, Path.LINK, Reach.LIVE),
        ("v6.1.192", 64 * K, Path.IOMMU, Reach.LATENT),
        ("v6.1.192", 4 * K, Path.IOMMU, Reach.LIVE),
        ("v6.6.35", 64 * K, Path.IOMMU, Reach.LIVE),
        ("v7.3.4", 64 * K, Path.DIRECT, Reach.LIVE),
        ("v7.3.4", 4 * K, Path.ALLOC, Reach.LIVE),
        ("v5.10.223", 4 * K, Path.ALLOC, Reach.MODEL),
    ],
)
def test_who_meets_a_configuration(
    kernel: str, page: int, path: Path, reach: Reach
) -> None:
    assert reached(RECORDS[kernel], Cell(page, page, path, 0xFFF)).reach is reach


def test_a_mask_that_no_driver_sets_is_of_the_model_alone() -> None:
    record = RECORDS["v7.3.4"]
    odd = Cell(4 * K, 4 * K, Path.DIRECT, 0x7FF)
    assert reached(record, odd).reach is Reach.MODEL
    assert reached(record, odd, (0x7FF,)).reach is Reach.LIVE


def test_a_fix_that_widens_the_mask_is_met_with_it() -> None:
    model = BuiltinKernel(kernel_state("v6.6+nicolin-v1-1+nicolin-v1-2"))
    cell = Cell(64 * K, 64 * K, Path.IOMMU, 0xFFFF)
    [(found, cells)] = met(model, [cell])
    assert (found.reach, cells) == (Reach.LIVE, [cell])


def test_pools_made_later_need_their_option() -> None:
    cell = Cell(4 * K, 4 * K, Path.DIRECT, 0xFFF, PoolKind.TRANSIENT)
    assert "CONFIG_SWIOTLB_DYNAMIC" in reached(RECORDS["v6.12"], cell).who


@pytest.mark.parametrize(
    ("kernel", "says"),
    [
        ("v6.1.192", "more than 128 possible CPUs"),
        ("v6.12.107", "arm64 and riscv with 4 possible CPUs or more a GiB"),
        ("v7.3.4", "CONFIG_SWIOTLB_DEFAULT_SIZE_MB=1 from 3 CPUs on"),
    ],
)
def test_which_machines_have_areas_of_one_slot_set(kernel: str, says: str) -> None:
    assert says in one_set_areas(RECORDS[kernel])


@pytest.mark.parametrize(
    ("probe", "header", "rule"),
    [
        (BELOW, "", Untrusted.BELOW_EXTERNAL),
        (REMOVABLE, HEADER, Untrusted.REMOVABLE),
        (REMOVABLE, HEADER.replace("_X86", "_ARM64"), None),
        (REMOVABLE, HEADER.replace("false", "guess(p)"), None),
        (REMOVABLE, "", None),
        (BELOW.replace("external_facing", "other"), "", None),
        ("", HEADER, None),
    ],
)
def test_a_tree_says_it_in_its_text(
    tmp_path: FilePath, probe: str, header: str, rule: Untrusted | None
) -> None:
    kernel = tree_of(tmp_path, probe, header)
    assert kernel.untrusted() is rule
    found = met(kernel, [Cell(64 * K, 64 * K, Path.IOMMU, 0xFFF)])
    assert bool(found) is (rule is not None)


@pytest.mark.parametrize(
    "series",
    [s if s == "7.3" else pytest.param(s, marks=pytest.mark.trees) for s in PACKAGES],
)
def test_the_records_are_what_the_trees_have(series: str) -> None:
    tree, record = open_tree(str(archive_of(series))), RECORDS[PACKAGES[series]]
    assert record.read
    assert untrusted_rule(tree) is record.untrusted
    iommu = tree.read("drivers/iommu/dma-iommu.c") or ""
    assert ("dma_kmalloc_needs_bounce(" in iommu) is record.kmalloc


@pytest.mark.trees
@pytest.mark.parametrize("series", list(PACKAGES))
def test_the_pools_are_what_the_trees_have(series: str) -> None:
    tree, record = open_tree(str(archive_of(series))), RECORDS[PACKAGES[series]]
    options = tree.read("kernel/dma/Kconfig") or ""
    assert ("config DMA_RESTRICTED_POOL" in options) is record.restricted_pools
    size = re.search(r"config SWIOTLB_DEFAULT_SIZE_MB\n.*?range (\d+)", options, re.S)
    assert (int(size.group(1)) if size else 64) == record.least_mib
    shrinks = [
        name
        for name in ("arm", "arm64", "loongarch", "powerpc", "riscv", "s390")
        if "swiotlb_adjust_size(min(" in (tree.read(f"arch/{name}/mm/init.c") or "")
    ]
    assert tuple(shrinks) == record.shrinks


def test_answers_say_it(run: Run) -> None:
    asked = ("latest", "--page-size", "64K", "--granule", "64K", "--property", "fits")
    found = run("check", *asked, "--size", "512", "--path", "link")
    assert "Who can meet it:" in found.out and "fits  latent  " in found.out
    told = run("check", *asked, "--size", "512", "--path", "link", "--json").json
    [part] = told["properties"][0]["reach"]
    assert part["reach"] == "latent"
    pair = ("v6.9", "v6.10", "--page-size", "4K", "--path", "iommu", "--size", "2560")
    assert "met by    live: PCI devices below a port" in run("diff", *pair).out


@pytest.mark.parametrize(
    ("kernel", "reach"), [("v6.1.192", "latent"), ("v5.16", "live")]
)
def test_what_a_partial_sync_alone_breaks_is_latent(
    run: Run, kernel: str, reach: str
) -> None:
    asked = ("--path", "direct", "--page-size", "4K", "--property", "clean", "--json")
    [finding] = run("check", kernel, *asked).json["properties"]
    assert [part["reach"] for part in finding["reach"]] == [reach]
