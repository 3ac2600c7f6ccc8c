# SPDX-License-Identifier: GPL-2.0-only
"""The message behind every prefix, in every form, whole and damaged."""

from __future__ import annotations

import json

import pytest

from bounceproof.logs.errors import LogError
from bounceproof.logs.read.kinds import Kind
from tests.logs.helpers import FULL, one, scanned

PREFIXES = {
    "bare": FULL,
    "dmesg": "[    0.239821] " + FULL,
    "dmesg -T": "[Tue Feb 13 21:53:55 2024] " + FULL,
    "dmesg -x": "kern  :warn  : [    5.123456] " + FULL,
    "caller": "[    5.123456][  T392] " + FULL,
    "level": "<4>[    5.123456] " + FULL,
    "syslog": "Feb 13 21:53:55 host kernel: [    5.123456] " + FULL,
    "kern.log": "2024-02-13T21:53:55.123456+00:00 host kernel: [ 5.1] " + FULL,
    "journal": "Feb 13 21:53:55 host kernel: " + FULL,
    "journal iso": "2024-02-13T21:53:55+0000 host kernel: " + FULL,
    "journal export": "MESSAGE=" + FULL,
    "rfc5424": "<4>1 2024-02-13T21:53:55Z host kernel - - - " + FULL,
    "kmsg": "4,1234,5123456,-;" + FULL,
    "netconsole": "4,1234,5123456,-,ncfrag=0/140;" + FULL,
    "mail": "=> " + FULL,
    "quoted": "> > => " + FULL,
    "crlf": "[    5.1] " + FULL + "\r",
    "console": "\r[    5.1] " + FULL + "\r\r",
    "colour": "\x1b[32m[    5.1] \x1b[0m\x1b[33mnvme 0000:00:01.0: \x1b[0m"
    + FULL.split(": ", 1)[1],
    "json": json.dumps({"PRIORITY": "4", "MESSAGE": FULL, "_TRANSPORT": "kernel"}),
    "json colour": json.dumps({"MESSAGE": "\x1b[1m" + FULL + "\x1b[0m"}),
    "docker": json.dumps({"log": "[ 5.1] " + FULL + "\n", "stream": "stdout"}),
}


@pytest.mark.parametrize("line", PREFIXES.values(), ids=PREFIXES)
def test_prefix(line: str) -> None:
    message = one(f"before\n{line}\nafter\n")
    assert (message.driver, message.device) == ("nvme", "0000:00:01.0")
    assert (message.sz, message.total, message.used) == (262144, 32768, 128)
    assert message.kind is Kind.FULL
    assert not message.cut


FORMS = {
    "nvme 0000:00:01.0: swiotlb buffer is full (sz: 4096 bytes)": (
        Kind.FULL,
        "nvme",
        "0000:00:01.0",
        4096,
    ),
    "hv_storvsc f8b3781a-1e82-4818-a1c3-63d806ec15bb: swiotlb buffer is full"
    " (sz: 258048 bytes), total 32768 (slots), used 0 (slots)": (
        Kind.FULL,
        "hv_storvsc",
        "f8b3781a-1e82-4818-a1c3-63d806ec15bb",
        258048,
    ),
    "0000:00:1f.2: swiotlb buffer is full (sz: 65536 bytes)": (
        Kind.FULL,
        None,
        "0000:00:1f.2",
        65536,
    ),
    "DMA: Out of SW-IOMMU space for 65536 bytes at device 0000:00:1f.2": (
        Kind.OUT_OF_SPACE,
        None,
        "0000:00:1f.2",
        65536,
    ),
    "PCI-DMA: Out of SW-IOMMU space for 512 bytes at device 0000:00:1f.2": (
        Kind.OUT_OF_SPACE,
        None,
        "0000:00:1f.2",
        512,
    ),
    "ahci 0000:00:1f.2: DMA: Out of SW-IOMMU space for 65536 bytes": (
        Kind.OUT_OF_SPACE,
        "ahci",
        "0000:00:1f.2",
        65536,
    ),
    "swiotlb: coherent allocation failed for device 0000:03:00.0 size=2097152": (
        Kind.COHERENT,
        None,
        "0000:03:00.0",
        2097152,
    ),
    "nouveau 0000:01:00.0: swiotlb: coherent allocation failed, size=2097152": (
        Kind.COHERENT,
        "nouveau",
        "0000:01:00.0",
        2097152,
    ),
    "virtio-pci 0000:00:02.0: Cannot allocate pages from non page-aligned swiotlb"
    " addr 0x00000000be826800.": (Kind.PAGE_ALIGN, "virtio-pci", "0000:00:02.0", None),
    "nvme 0000:00:01.0: Unsupported alignment constraint": (
        Kind.ALIGNMENT,
        "nvme",
        "0000:00:01.0",
        None,
    ),
    "nvme 0000:00:01.0: Alloc alignment may prevent fulfilling requests with max"
    " mapping_size": (Kind.ALLOC_ALIGN, "nvme", "0000:00:01.0", None),
    "e1000e 0000:00:19.0: Buffer overflow detected. Allocation size: 2048."
    " Mapping size: 4096+0.": (Kind.OVERFLOW, "e1000e", "0000:00:19.0", 4096),
    "e1000e 0000:00:19.0: Buffer overflow detected. Allocation size: 2048."
    " Mapping size: 4096.": (Kind.OVERFLOW, "e1000e", "0000:00:19.0", 4096),
    "e1000e 0000:00:19.0: Access before mapping start detected. orig offset 512,"
    " requested offset 16.": (Kind.BEFORE, "e1000e", "0000:00:19.0", None),
    "xhci_hcd 0000:00:14.0: Invalid sizes (mapping: 8192 bytes, alloc: 4096 bytes)": (
        Kind.SIZES,
        "xhci_hcd",
        "0000:00:14.0",
        8192,
    ),
    "xhci_hcd 0000:00:14.0: DMA bounce buffers are inactive, unable to map unaligned"
    " transaction.": (Kind.INACTIVE, "xhci_hcd", "0000:00:14.0", None),
    "nvme 0000:00:01.0: Can not allocate SWIOTLB buffer earlier and can't now provide"
    " you with the DMA bounce buffer": (Kind.NO_POOL, "nvme", "0000:00:01.0", None),
    "nvme 0000:00:01.0: swiotlb addr 0x0000000180000000+4096 overflow (mask ffffffff,"
    " bus limit 0).": (Kind.UNREACHABLE, "nvme", "0000:00:01.0", 4096),
}


@pytest.mark.parametrize("line", FORMS)
def test_form(line: str) -> None:
    message = one(f"[    1.0] {line}\n")
    assert (message.kind, message.driver, message.device, message.sz) == FORMS[line]
    assert not message.cut


@pytest.mark.parametrize("length", range(len(FULL)))
def test_cut_anywhere(length: int) -> None:
    """A line cut short is never read as a whole line with another number."""
    try:
        message = one("[    1.0] " + FULL[:length])
    except LogError as error:
        assert "\n" not in str(error)
        return
    assert message.sz == 262144
    assert message.total in (None, 32768)
    assert message.used in (None, 128)


@pytest.mark.parametrize("length", range(1, 60))
def test_beginning_lost(length: int) -> None:
    try:
        message = one(FULL[length:] + "\n")
    except LogError:
        return
    assert (message.sz, message.total, message.used) == (262144, 32768, 128)


def test_cut_line_is_reported() -> None:
    with pytest.raises(LogError, match="line 2 has a swiotlb message that is cut"):
        scanned("start\n" + FULL[:55])


def test_cut_line_beside_a_whole_one() -> None:
    scan = scanned(f"{FULL}\n{FULL[:50]}\n")
    assert [seen.message.sz for seen in scan.seen] == [262144]
    assert scan.cut_lines == [2]


def test_same_message_is_counted() -> None:
    lines = [f"[{i:5}.0] {FULL}" for i in range(1000)]
    (seen,) = scanned("\n".join(lines)).seen
    assert (seen.count, seen.line) == (1000, 1)


def test_line_numbers() -> None:
    other = FULL.replace("sz: 262144", "sz: 4096")
    scan = scanned("\n" * 41 + FULL + "\r\n" * 3 + other)
    assert [seen.line for seen in scan.seen] == [42, 45]


def test_terminal_controls_do_not_reach_the_output() -> None:
    message = one("nvme 0000\x1b]0;x\x07: swiotlb buffer is full (sz: 512 bytes)\n")
    assert message.text.isprintable()


@pytest.mark.parametrize(
    "before",
    [
        "Since 6.5:",
        "I see this, 3 times a day:",
        "[Feb13 21:53] other: message",
        "[  +0.000004] usb 1-1: reset",
        "juil. 29 14:38:52 box kernel: usb 1-1: reset:",
    ],
)
def test_a_line_of_its_own_takes_nothing_from_the_one_before(before: str) -> None:
    message = one(f"{before}\n{FULL.split(': ', 1)[1]}\n")
    assert (message.device, message.sz, message.used) == (None, 262144, 128)
    assert not message.cut


def test_c_code_is_no_message() -> None:
    with pytest.raises(LogError):
        scanned('dev_warn(dev, "swiotlb buffer is full (sz: %zd bytes)\\n", size);\n')
