# SPDX-License-Identifier: GPL-2.0-only
"""Like messages as one event: how often, how full the pool, and for how long."""

from __future__ import annotations

import pytest

from bounceproof.logs.read.course import MOST_SAMPLES, Course, Trend
from bounceproof.logs.read.gather import MOST_EVENTS
from tests.logs.corpus import full
from tests.logs.helpers import FULL, run_text, scanned


def _course(values: list[int], seconds: float = 1.0) -> Course:
    course = Course()
    for i, used in enumerate(values):
        course.add(used, b"[%10.6f] " % (i * seconds))
    return course


@pytest.mark.parametrize(
    ("values", "seconds", "trend"),
    [
        ([5], 1.0, Trend.ONCE),
        ([32768] * 50, 1.0, Trend.STEADY),
        ([32000 + i % 3 for i in range(50)], 1.0, Trend.STEADY),
        (list(range(30000, 32000, 10)), 1.0, Trend.LEAK),
        (list(range(30000, 32000, 10)), 0.001, Trend.RISE),
        ([31415, 31983], 0.08, Trend.RISE),
        (list(range(32000, 30000, -10)), 1.0, Trend.FALL),
        ([100, 30000, 200, 31000] * 20, 1.0, Trend.BURSTS),
    ],
)
def test_trend(values: list[int], seconds: float, trend: Trend) -> None:
    assert _course(values, seconds).trend(32768) is trend


def test_course_is_bounded_and_keeps_its_ends() -> None:
    course = _course(list(range(100_000)))
    assert len(course.samples) <= MOST_SAMPLES
    assert (course.least, course.most) == (0, 99_999)
    assert (course.points()[0][0], course.points()[-1][0]) == (0, 99_999)
    assert course.seconds() == pytest.approx(99_999, rel=1e-6)


@pytest.mark.parametrize(
    ("prefix", "seconds"),
    [
        ("[{:12.6f}] ", 10.0),
        ("Feb 13 21:53:{:02.0f} host kernel: ", 10.0),
        ("2024-02-13T21:53:{:09.6f}+00:00 host kernel: ", 10.0),
        ("[Tue Feb 13 21:53:{:02.0f} 2024] ", 10.0),
        ("4,1234,{:.0f}000000,-;", 10.0),
    ],
)
def test_times(prefix: str, seconds: float) -> None:
    lines = [prefix.format(at) + FULL for at in (20.0, 30.0)]
    (seen,) = scanned("\n".join(lines)).seen
    assert seen.course.seconds() == pytest.approx(seconds)


def test_past_midnight() -> None:
    lines = [f"Feb 13 {clock} h kernel: {FULL}" for clock in ("23:59:58", "00:00:03")]
    (seen,) = scanned("\n".join(lines)).seen
    assert seen.course.seconds() == 5


def test_repeated_lines_are_counted() -> None:
    log = (
        f"Aug 1 00:00:00 h kernel: message repeated 7 times: [ [  12.5] {FULL}]\n"
        "Aug 1 00:00:01 h last message repeated 4 times\n"
        "Aug 1 00:00:02 h other\nAug 1 00:00:03 h last message repeated 9 times\n"
    )
    (seen,) = scanned(log).seen
    assert seen.count == 11


def test_suppressed_lines_are_told() -> None:
    log = f"swiotlb_tbl_map_single: 22211 callbacks suppressed\n{FULL}\n"
    assert "held 22211 more lines back" in " ".join(run_text(log)[1].split())


def test_events_are_bounded_and_the_common_ones_stay() -> None:
    lines = []
    for i in range(3 * MOST_EVENTS):
        lines.append(full(f"drv 0000:00:00.{i}", 512 * (i + 1), 32768, 5))
        lines.append(full("nvme 0000:01:00.0", 4096, 32768, 5))
    scan = scanned("".join(lines))
    counts = {seen.message.device: seen.count for seen in scan.seen}
    assert counts["0000:01:00.0"] == 3 * MOST_EVENTS
    assert len(scan.seen) <= MOST_EVENTS
    assert scan.dropped + sum(counts.values()) == len(lines)


def test_boots_are_bounded() -> None:
    log = "".join(f"Linux version 6.1.{i} x\n{FULL}\n" for i in range(9000))
    scan = scanned(log)
    assert len(scan.seen) <= MOST_EVENTS
    assert len({seen.facts.version for seen in scan.seen}) > 1


@pytest.mark.parametrize(
    ("pool", "says"),
    [
        (
            "software IO TLB: area num 8.\n"
            "software IO TLB: mapped [mem 0xbb800000-0xbf800000] (64MB)",
            "No failure here; the pool is 64 MiB (32768 slots) in 8 areas",
        ),
        (
            "software IO TLB [mem 0xdb667000-0xdf666fff] (64MB) mapped at"
            " [ffff8800db667000-ffff8800df666fff]",
            "No failure here; the pool is 64 MiB",
        ),
        (
            "Placing 64MB software IO TLB between ffff8800db667000 - ffff8800df667000",
            "No failure here; the pool is 64 MiB",
        ),
        (
            "software IO TLB: Reserved memory: created restricted DMA pool at"
            " 0x0000000050000000, size 4 MiB",
            "Restricted pools: 4 MiB at 0x50000000",
        ),
        (
            "software IO TLB: mapped [mem 0x000000004fe59000-0x000000004fed9000] (0MB)",
            "the pool is 512 KiB (256 slots)",
        ),
    ],
)
def test_a_boot_without_a_failure(pool: str, says: str) -> None:
    code, text = run_text(f"[    0.0] {pool}\n")
    assert code == 0
    assert says in " ".join(text.split())
