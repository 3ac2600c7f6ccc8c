# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's version from every place that names it, never from the compiler."""

from __future__ import annotations

import pytest

from tests.logs.helpers import FULL, run_json, run_text, scanned

GCC = "(gcc (Debian 12.2.0-14) 12.2.0, GNU ld (GNU Binutils for Debian) 2.40)"
CLANG = "(clang version 18.1.3, LLD 18.1.3)"
OLD_GCC = "(gcc version 5.4.0 20160609 (Ubuntu 5.4.0-6ubuntu1~16.04.10) )"

BANNERS = {
    f"Linux version 6.8.12-4-pve (build@host) {GCC} #1 SMP PREEMPT_DYNAMIC PMX"
    " 6.8.12-4 (2024-11-06T15:04Z)": ("6.8.12", "Proxmox"),
    f"Linux version 6.1.0-9-amd64 (debian-kernel@lists.debian.org) {GCC} #1 SMP"
    " PREEMPT_DYNAMIC Debian 6.1.27-1 (2023-05-08)": ("6.1.27", "Debian"),
    f"Linux version 4.4.0-143-generic (buildd@b) {OLD_GCC} #169-Ubuntu SMP Thu Feb 7"
    " 07:56:38 UTC 2019 (Ubuntu 4.4.0-143.169-generic 4.4.170)": ("4.4.170", "Ubuntu"),
    "Linux version 6.5.0-41-generic (buildd@b) (x86_64-linux-gnu-gcc-13 (Ubuntu"
    " 13.2.0-4ubuntu3) 13.2.0, GNU ld (GNU Binutils for Ubuntu) 2.41)"
    " #41-Ubuntu SMP (Ubuntu 6.5.0-41.41-generic 6.5.13)": ("6.5.13", "Ubuntu"),
    "Linux version 5.14.0-427.13.1.el9_4.x86_64 (mockbuild@b) (gcc (GCC) 11.4.1"
    " 20231218 (Red Hat 11.4.1-3), GNU ld) #1 SMP": ("5.14.0", "Red Hat"),
    f"Linux version 6.12.9 (me@box) {CLANG} #2 SMP": ("6.12.9", None),
    "Linux version 5.15.167.4-microsoft-standard-WSL2 (root@x) (gcc (GCC) 11.2.0)"
    " #1 SMP": ("5.15.167", "Microsoft"),
    "Linux version 6.11.0-rc4+ (u@h) (gcc (Debian 13.2.0-2) 13.2.0) #15278 SMP": (
        "6.11.0-rc4",
        None,
    ),
    "Linux version 5.15.32-v7l+ (dom@b) (arm-linux-gnueabihf-gcc-8 (Ubuntu/Linaro"
    " 8.4.0-3ubuntu1) 8.4.0) #1538 SMP": ("5.15.32", "Raspberry Pi"),
    "Linux version 5.10.134-16.1.al8.x86_64 (m@b) (gcc (GCC) 10.2.1) #1 SMP": (
        "5.10.134",
        None,
    ),
    "Linux version 3.10.0-1160.el7.x86_64 (m@b) (gcc version 4.8.5 20150623 (Red Hat"
    " 4.8.5-44) (GCC) ) #1 SMP": ("3.10.0", "Red Hat"),
}

OTHER = {
    "CPU: 4 PID: 4588 Comm: kworker/u17:1 Not tainted 5.4.93 #0": "5.4.93",
    "CPU: 2 PID: 500 Comm: sh Tainted: G         C        5.4.11-1-pi4 #1": "5.4.11",
    "CPU: 0 PID: 26184 Comm: insmod Tainted: G           O    4.9.0-7-amd64 #1 Debian"
    " 4.9.110-1": "4.9.110",
    "CPU: 1 UID: 0 PID: 405 Comm: x Not tainted\n6.17.0-rc4-next-20250901+ #10": (
        "6.17.0-rc4"
    ),
    "Pid: 12, comm: sh Not tainted 3.2.0-4-amd64 #1 Debian 3.2.60-1+deb7u3": "3.2.60",
    "Pid: 3, comm: x Not tainted (2.6.18-8.el5 #1)": "2.6.18",
    "Linux box 5.10.48 #1-NixOS SMP Wed Jul 7 12:27:50 UTC 2021 aarch64 GNU/Linux": (
        "5.10.48"
    ),
    "Linux box 6.1.0-9-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.1.27-1 (2023-05-08)"
    " x86_64 GNU/Linux": "6.1.27",
    "$ uname -r\n6.9.7-arch1-1": "6.9.7",
    "$ uname -a\nLinux box 6.9.7-arch1-1 #1 SMP x86_64 GNU/Linux": "6.9.7",
    "usb usb1: Manufacturer: Linux 6.0.3 ehci_hcd": "6.0.3",
    "Kernel: 6.1.21-v8+ aarch64 bits: 64": "6.1.21",
    "Kernel Version: 5.19.17": "5.19.17",
    "BOOT_IMAGE=/boot/vmlinuz-6.6.13+bpo-amd64 root=/dev/vda1": "6.6.13",
    "ii  linux-image-6.1.0-9-amd64  6.1.27-1  amd64": "6.1.27",
    "kernel-core-6.4.6-200.fc38.x86_64": "6.4.6",
    "Modules in /lib/modules/5.10.48/kernel": "5.10.48",
    "     RELEASE: 4.18.0-305.el8.x86_64": "4.18.0",
}


@pytest.mark.parametrize("line", BANNERS)
def test_banner(line: str) -> None:
    (seen,) = scanned(f"[    0.0] {line}\n{FULL}\n").seen
    assert (seen.facts.version, seen.facts.distribution) == BANNERS[line]


@pytest.mark.parametrize("line", OTHER)
def test_other_places(line: str) -> None:
    (seen,) = scanned(f"{FULL}\n{line}\n").seen
    assert seen.facts.version == OTHER[line]


@pytest.mark.parametrize(
    "line",
    [
        "gcc version 12.2.0 (Debian 12.2.0-14)",
        "systemd 252.6-1 running in system mode",
        "nvme nvme0: 8/0/0 default/read/poll queues",
        "EXT4-fs (vda1): mounted filesystem 1.41",
        "Linux agpgart interface v0.103",
        "Kernel command line: root=/dev/sda1",
    ],
)
def test_no_version_here(line: str) -> None:
    (seen,) = scanned(f"{line}\n{FULL}\n").seen
    assert seen.facts.version is None


def test_the_banner_outranks_what_is_pasted_beside_it() -> None:
    log = (
        "Linux version 6.1.50 (a@b) (gcc) #1\n"
        "kernel-5.4.3-200.fc38\nCPU: 1 PID: 1 Comm: x Not tainted 6.1.50 #1\n"
    )
    (seen,) = scanned(log + FULL).seen
    assert seen.facts.version == "6.1.50"


@pytest.mark.parametrize(
    ("release", "state", "exact"),
    [
        ("5.4.93", "v5.10.223", False),
        ("6.6", "v6.6", True),
        ("6.5.0-41-generic", "v6.5", False),
        ("6.12.107", "v6.12.107", True),
        ("6.1.0-9-amd64", "v6.1.192", False),
        ("6.8.12-4-pve", "v6.8.3", False),
        ("7.3.4", "v7.3.4", True),
        ("5.15.32-v7l+", "v5.16", False),
        ("6.11.0-rc4+", "v6.10", False),
    ],
)
def test_kernel_takes_what_uname_prints(release: str, state: str, exact: bool) -> None:
    (message,) = run_json(FULL, "--kernel", release)["messages"]
    assert message["kernel"] == state
    assert message["approximated"] is not exact


def test_named_kernel_is_shown_as_given() -> None:
    _, text = run_text(FULL, "--kernel", "6.5.0-41-generic")
    assert "as given; judged as v6.5" in " ".join(text.split())
