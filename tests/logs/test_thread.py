# SPDX-License-Identifier: GPL-2.0-only
"""The three lines of the 2024 thread, explained."""

from __future__ import annotations

import pytest

from bounceproof.logs.explain import Asked
from bounceproof.logs.judge.verdict import Verdict
from bounceproof.logs.say.advice import advice_for
from bounceproof.logs.say.lookups import lookups_for
from bounceproof.models.builtin import BuiltinKernel
from bounceproof.models.catalog import kernel_state
from tests.logs.helpers import THREAD_BOOT, explained

GRANULE = "arm-smmu 1.smmu: Supported page sizes: 0x60010000\n"


def _line(sz: int, used: int) -> str:
    return (
        f"nvme 0000:00:01.0: swiotlb buffer is full (sz: {sz} bytes),"
        f" total 32768 (slots), used {used} (slots)\n"
    )


def _asked(kernel: str) -> Asked:
    state = kernel_state(kernel)
    return Asked(BuiltinKernel(state), state)


def test_above_a_slot_set() -> None:
    (found,) = explained(THREAD_BOOT + GRANULE + _line(327680, 32))
    assert found.kernel == "v6.6"
    assert found.verdict is Verdict.NEVER
    (result,) = found.results
    assert result.cell.path == "iommu"
    assert result.sizes == (262144 + 512, 327680)
    assert result.never == "every orig_addr"
    assert found.first_release == "v6.10"
    assert found.safe_size == 192 << 10


def test_limit_alone_ends_the_size_but_does_not_close() -> None:
    (found,) = explained(THREAD_BOOT + GRANULE + _line(327680, 32))
    trials = {trial.name: trial for trial in found.fixes}
    assert not trials["nicolin-v1-1"].closes
    assert trials["nicolin-align-down"].closes


def test_both_patches_close() -> None:
    (found,) = explained(THREAD_BOOT + _line(327680, 32))
    trials = {trial.name: trial for trial in found.fixes}
    assert trials["nicolin-v1-1+nicolin-v1-2"].closes
    assert not trials["nicolin-v1-1"].closes


@pytest.mark.parametrize("kernel", ["v6.6", "v6.6+nicolin-v1-1"])
def test_a_slot_set_at_an_unaligned_address(kernel: str) -> None:
    log = THREAD_BOOT + GRANULE + _line(262144, 128)
    (found,) = explained(log, _asked(kernel))
    assert found.verdict is Verdict.ADDRESS
    (result,) = found.results
    assert result.never == "orig_addr & 0xffff != 0"
    assert result.sizes[0] == 196608 + 512
    assert result.blocked_from == 256


def test_64k_with_used_0_is_no_stock_kernel() -> None:
    (found,) = explained(THREAD_BOOT + GRANULE + _line(65536, 0))
    assert found.verdict is None
    assert "v6.6+will-v3" in found.possible
    assert "v6.6.9" not in found.possible


def test_64k_with_will_v3() -> None:
    log = THREAD_BOOT + GRANULE + _line(65536, 0)
    (found,) = explained(log, _asked("v6.6+will-v3"))
    assert found.verdict is Verdict.ADDRESS
    assert [r.never for r in found.results] == ["orig_addr & 0x800 != 0"]
    assert "deacon-both-masks" in {trial.name for trial in found.fixes}


def test_64k_with_the_mask_edited() -> None:
    log = THREAD_BOOT + GRANULE + _line(65536, 0)
    (found,) = explained(log, _asked("v6.6+will-v3+will-v3-mask7ff"))
    assert {r.never for r in found.results} == {"orig_addr & 0x7ff != 0"}


def test_prepadding_leaves_6_9_broken() -> None:
    log = THREAD_BOOT + GRANULE + _line(262144, 0)
    (found,) = explained(log, _asked("v6.9"))
    assert [r.never for r in found.results] == ["orig_addr & 0xfff != 0"]
    assert found.first_release == "v6.10"
    assert "kelley-callee-rounds" in {t.name for t in found.fixes if t.closes}


def test_full_pool() -> None:
    (found,) = explained(
        THREAD_BOOT.replace("6.6.0", "6.12.0") + GRANULE + _line(65536, 32760)
    )
    assert found.verdict is Verdict.FULL
    assert any("swiotlb=65536" in line for line in advice_for(found))


def test_fragmented_pool() -> None:
    (found,) = explained(
        THREAD_BOOT.replace("6.6.0", "6.12.0") + GRANULE + _line(65536, 29000)
    )
    assert found.verdict is Verdict.FRAGMENTED
    assert not found.fixes


def test_old_message_without_totals() -> None:
    line = "ahci 0000:00:1f.2: swiotlb buffer is full (sz: 4096 bytes)"
    log = "Linux version 4.9.1\n" + line
    (found,) = explained(log)
    assert found.verdict is Verdict.CROWDED
    assert found.kernel == "v5.10.223"
    assert {result.cell.min_align_mask for result in found.results} == {0}


def test_unknown_version() -> None:
    (found,) = explained(_line(262144, 0))
    assert "v6.9" in found.possible
    assert "v6.10" not in found.possible
    assert lookups_for(found, False)[0].what == "kernel version"


def test_encrypted_guest_takes_the_direct_path() -> None:
    log = (
        "Linux version 6.1.50 x86_64\n"
        "Memory Encryption Features active: AMD SEV\n"
        "nvme 0000:00:04.0: swiotlb buffer is full (sz: 131072 bytes),"
        " total 524288 (slots), used 524200 (slots)\n"
    )
    (found,) = explained(log)
    assert [r.cell.path.value for r in found.results] == ["direct"]
    assert found.verdict is Verdict.NEARLY
