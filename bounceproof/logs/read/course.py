# SPDX-License-Identifier: GPL-2.0-only
"""The course of ``used`` over many messages, in bounded memory."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

MOST_SAMPLES: Final = 256
LEAK_SECONDS: Final = 60.0
_DAY: Final = 86400.0
_UPTIME = re.compile(rb"\[\s*(\d{1,9}\.\d{1,9})\]")
_CLOCK = re.compile(rb"(?<!\d)(\d\d):(\d\d):(\d\d(?:[.,]\d{1,9})?)")
_STAMP = re.compile(rb'"__(?:REALTIME|MONOTONIC)_TIMESTAMP"\s*:\s*"?(\d{1,18})')
_KMSG = re.compile(rb"\b\d+,\d+,(\d{1,16}),")


def time_in(line: bytes) -> float | None:
    """Seconds since some moment, as the line's prefix has them; None without any."""
    found = _UPTIME.search(line)
    if found:
        return float(found[1])
    found = _STAMP.search(line) or _KMSG.match(line)
    if found:
        return int(found[1]) / 1e6
    found = _CLOCK.search(line)
    if found is None:
        return None
    hours, minutes, seconds = found[1], found[2], found[3].replace(b",", b".")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


class Trend(StrEnum):
    """What ``used`` did from the first message to the last."""

    ONCE = "once"
    STEADY = "steady"
    LEAK = "rose and never fell"
    RISE = "rose"
    FALL = "fell"
    BURSTS = "rose and fell"


@dataclass(slots=True)
class Course:
    """``used`` of each message in order.

    ``least`` and ``most``: slots.  ``samples``: at most MOST_SAMPLES of them with
    their times (seconds, None unknown), every ``stride``-th, and the last one.
    """

    count: int = 0
    least: int = 0
    most: int = 0
    stride: int = 1
    samples: list[tuple[int, float | None]] = field(default_factory=list)
    last: tuple[int, float | None] | None = None
    last_line: bytes = b""

    def add(self, used: int, line: bytes) -> None:
        """One more message; ``line`` is its prefix, where its time is."""
        if not self.count:
            self.least = self.most = used
        elif used < self.least:
            self.least = used
        elif used > self.most:
            self.most = used
        if self.count % self.stride == 0:
            self._sample(used, line)
        self.last, self.last_line = (used, None), line
        self.count += 1

    def _sample(self, used: int, line: bytes) -> None:
        if len(self.samples) >= MOST_SAMPLES:
            del self.samples[1::2]
            self.stride *= 2
            if self.count % self.stride:
                return
        self.samples.append((used, time_in(line)))

    def points(self) -> list[tuple[int, float | None]]:
        """The samples, and the last message."""
        if self.last is None or (self.count - 1) % self.stride == 0:
            return self.samples
        return [*self.samples, (self.last[0], time_in(self.last_line))]

    def seconds(self) -> float | None:
        """From the first message to the last; None where a time is missing."""
        points = self.points()
        if len(points) < 2 or points[0][1] is None or points[-1][1] is None:
            return None
        passed = points[-1][1] - points[0][1]
        return passed if passed >= 0 else (passed + _DAY if passed > -_DAY else None)

    def trend(self, total: int | None) -> Trend:
        """What ``used`` did, of a pool of ``total`` slots; a fiftieth is noise."""
        if self.count < 2:
            return Trend.ONCE
        noise = max((total or self.most) // 50, 1)
        values = [used for used, _ in self.points()]
        spread = max(values) - min(values)
        if spread <= noise // 2 and not self._climbs(values):
            return Trend.STEADY
        worst = _largest_fall(values)
        if worst <= max(spread // 10, 1) and values[-1] > values[0]:
            return self._risen()
        if _largest_fall([-v for v in values]) <= max(spread // 10, 1):
            return Trend.FALL
        return Trend.BURSTS

    def _climbs(self, values: list[int]) -> bool:
        """Small steps that only ever go up."""
        rising = all(a <= b for a, b in itertools.pairwise(values))
        return rising and values[-1] > values[0]

    def _risen(self) -> Trend:
        seconds = self.seconds()
        long = seconds is not None and seconds >= LEAK_SECONDS
        return Trend.LEAK if long and len(self.samples) >= 3 else Trend.RISE


def _largest_fall(values: list[int]) -> int:
    """The most that a later value lies below an earlier one."""
    highest, fall = values[0], 0
    for value in values:
        highest = max(highest, value)
        fall = max(fall, highest - value)
    return fall
