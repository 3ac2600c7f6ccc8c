# SPDX-License-Identifier: GPL-2.0-only
"""Sizes, names and numbers as sentences have them."""

from __future__ import annotations

from bounceproof.logs.read.messages import Message
from bounceproof.models.constants import IO_TLB_SHIFT

_UNITS = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def size_text(size: int) -> str:
    """A size in the largest unit it is a whole number of, else in bytes."""
    for factor, unit in _UNITS:
        if size >= factor and size % factor == 0:
            return f"{size // factor} {unit}"
    return f"{size} byte" + ("" if size == 1 else "s")


def about(size: int) -> str:
    """A size with one decimal place: ``3.9 GiB``."""
    for factor, unit in _UNITS:
        if size >= factor:
            whole = f"{size / factor:.1f}".removesuffix(".0")
            return f"{whole} {unit}"
    return size_text(size)


def mib_text(slots: int) -> str:
    """A pool of ``slots``: ``64 MiB``, ``1 GiB``, ``512 KiB``."""
    return about(slots << IO_TLB_SHIFT)


def slots_text(low: int, high: int) -> str:
    """``1 slot``, ``4 slots``, ``4 to 5 slots``."""
    if low != high:
        return f"{low} to {high} slots"
    return f"{low} slot" + ("" if low == 1 else "s")


def who(message: Message) -> str:
    """The driver and device of a message, or what stands for them."""
    if message.driver and message.device:
        return f"{message.driver} {message.device}"
    return message.device or "a device that the line does not name"


def short_name(message: Message) -> str:
    """The driver's name, or the device's."""
    return message.driver or message.device or "a driver"


def sentence(text: str) -> str:
    """A sentence that may begin with "a driver" or "a device"."""
    return f"A{text[1:]}" if text.startswith(("a driver", "a device")) else text
