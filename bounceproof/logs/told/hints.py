# SPDX-License-Identifier: GPL-2.0-only
"""Lines that tell something of a boot: pages, pool, areas, IOMMU, command line."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bounceproof.logs.told.banner import PLACES, Place, outranks, release_of
from bounceproof.logs.told.facts import MOST_DEVICES, Facts
from bounceproof.models.constants import IO_TLB_SHIFT, PAGE_SIZES

Reader = Callable[[Facts, re.Match[str]], None]
_MOST_POOLS: Final = 64
_IOMMU_OPTIONS: Final = (
    "iommu",
    "intel_iommu=",
    "amd_iommu=",
    "arm-smmu",
    "mem_encrypt=",
)
_IOMMUS: Final = {"arm-smmu": "arm-smmu", "DMAR": "Intel VT-d", "AMD-Vi": "AMD-Vi"}


def _x86(facts: Facts, found: re.Match[str]) -> None:
    facts.set_arch("x86")


def _arm64(facts: Facts, found: re.Match[str]) -> None:
    facts.set_arch("arm64")


def _release(place: Place) -> Reader:
    def read(facts: Facts, found: re.Match[str]) -> None:
        if not outranks(place.source, facts.version_from):
            return
        packaged = place.source == "package"
        told = release_of(found["release"], found.string[found.end() :], packaged)
        if told is None:
            return
        facts.release, facts.version = told.release, told.version
        facts.version_from, facts.hidden_patch = place.source, told.hidden_patch
        facts.distribution = told.distribution
        if told.arch:
            facts.set_arch(told.arch)
        facts.set_page_size(told.page_size or 0, "the kernel's name")

    return read


def _command_line(facts: Facts, found: re.Match[str]) -> None:
    line = found["line"].strip()
    facts.command_line = facts.command_line or line
    for word in (piece.strip("\"',;") for piece in line.split()):
        if word.startswith("swiotlb="):
            facts.swiotlb_option = word[8:]
        if word.startswith(_IOMMU_OPTIONS) and word not in facts.iommu_options:
            facts.iommu_options.append(word)


def _hash_table(facts: Facts, found: re.Match[str]) -> None:
    order, size = int(found["order"]), int(found["bytes"])
    if 0 <= order < 32:
        facts.set_page_size(size >> order, "a hash table's order and bytes")


def _percpu(facts: Facts, found: re.Match[str]) -> None:
    pages = int(found["pages"])
    unit = sum(int(found[name]) for name in "srd")
    if pages and unit % pages == 0:
        facts.set_page_size(unit // pages, "percpu: bytes and pages of a CPU")


def _huge(facts: Facts, found: re.Match[str]) -> None:
    size = f"{found['n']} {found['unit']}"
    known = {"512 MiB": 65536, "1.00 GiB": 4096, "1 GiB": 4096}
    facts.set_page_size(known.get(size, 0), f"hugetlb pages of {size}")


def _config_pages(facts: Facts, found: re.Match[str]) -> None:
    facts.set_arch("arm64")
    facts.set_page_size(int(found["k"]) << 10, found[0])


def _pool(facts: Facts, found: re.Match[str]) -> None:
    start, end = int(found["start"], 16), int(found["end"], 16)
    nslabs = (end - start + 1) >> IO_TLB_SHIFT
    if nslabs > 0:
        facts.pool_start, facts.nslabs = start, nslabs


def _placed(facts: Facts, found: re.Match[str]) -> None:
    nslabs = int(found["mb"]) << 20 >> IO_TLB_SHIFT
    facts.nslabs = facts.nslabs or nslabs or None


def _areas(facts: Facts, found: re.Match[str]) -> None:
    facts.nareas = int(found["n"]) or None


def _cpus(facts: Facts, found: re.Match[str]) -> None:
    facts.cpus = max(facts.cpus or 0, int(found["n"]))


def _memory(facts: Facts, found: re.Match[str]) -> None:
    facts.memory = facts.memory or int(found["kib"]) << 10


def _domain(facts: Facts, found: re.Match[str]) -> None:
    facts.default_domain = found["type"].lower()


def _group(facts: Facts, found: re.Match[str]) -> None:
    if len(facts.iommu_devices) < MOST_DEVICES:
        facts.iommu_devices.add(found["device"])


def _reserved(facts: Facts, found: re.Match[str]) -> None:
    if len(facts.reserved_devices) < MOST_DEVICES:
        facts.reserved_devices.add(found["device"])


def _iommu(facts: Facts, found: re.Match[str]) -> None:
    name = found["iommu"]
    facts.iommu = next(v for k, v in _IOMMUS.items() if name.startswith(k))
    facts.set_arch("arm64" if name.startswith("arm-smmu") else "x86")


def _smmu_pages(facts: Facts, found: re.Match[str]) -> None:
    bitmap = int(found["map"], 16)
    facts.set_arch("arm64")
    sizes = [size for size in PAGE_SIZES if bitmap & size]
    if facts.page_size is not None:
        fitting = [size for size in sizes if size <= facts.page_size]
        facts.granule = max(fitting, default=None)


def _features(facts: Facts, found: re.Match[str]) -> None:
    """SME alone is a host's: its memory is encrypted, and no guest's."""
    how = " ".join(found["how"].split())
    if how.replace("AMD", "").strip() in ("SME", "TSME"):
        facts.memory_encryption = True
    elif how:
        facts.confidential = how


def _confidential(facts: Facts, found: re.Match[str]) -> None:
    facts.confidential = facts.confidential or " ".join(found["how"].split())


def _encryption(facts: Facts, found: re.Match[str]) -> None:
    facts.memory_encryption = True


def _restricted(facts: Facts, found: re.Match[str]) -> None:
    slots = int(found["mib"]) << 20 >> IO_TLB_SHIFT
    if len(facts.restricted) < _MOST_POOLS:
        facts.restricted.append((int(found["base"], 16), slots))


def _dynamic(facts: Facts, found: re.Match[str]) -> None:
    facts.dynamic = found[0].endswith("=y")


def _untrusted(facts: Facts, found: re.Match[str]) -> None:
    facts.untrusted = True


def _xen(facts: Facts, found: re.Match[str]) -> None:
    facts.platform = "Xen"


def _raspberry(facts: Facts, found: re.Match[str]) -> None:
    facts.platform = facts.platform or "Raspberry Pi"


def _suppressed(facts: Facts, found: re.Match[str]) -> None:
    facts.suppressed += int(found["n"])


@dataclass(frozen=True, slots=True)
class Hint:
    """A line that tells something: the bytes it holds, its pattern, its reader.

    ``spans``: what it tells may stand on the next line.  ``early``: only a boot's
    first megabytes have it.
    """

    anchor: bytes
    pattern: re.Pattern[str]
    read: Reader
    spans: bool = False
    early: bool = False


def _hint(anchor: bytes, pattern: str, read: Reader) -> Hint:
    return Hint(anchor, re.compile(pattern), read, early=True)


def _any_time(anchor: bytes, pattern: str, read: Reader) -> Hint:
    return Hint(anchor, re.compile(pattern), read)


_RELEASES: Final = tuple(
    Hint(place.anchor, place.pattern, _release(place), place.spans) for place in PLACES
)
BOOT: Final = _RELEASES[0]
_IOMMU_LINE = r"(?P<iommu>DMAR|AMD-Vi|arm-smmu[\w-]*)"
_N = r"(?P<n>\d{1,9})"
HINTS: Final = (
    *_RELEASES,
    _any_time(b"ommand line: ", r"[Cc]ommand line: (?P<line>.*)", _command_line),
    _hint(b"BOOT_IMAGE=", r"(?P<line>BOOT_IMAGE=.*)", _command_line),
    _hint(
        b"hash table entries",
        r"hash table entries: \d+ \(order: (?P<order>-?\d{1,3}), (?P<bytes>\d{1,18})"
        r" bytes",
        _hash_table,
    ),
    _hint(
        b"percpu: Embedded",
        r"percpu: Embedded (?P<pages>\d{1,9}) pages/cpu.*? s(?P<s>\d{1,9})"
        r" r(?P<r>\d{1,9}) d(?P<d>\d{1,9})",
        _percpu,
    ),
    _hint(
        b"HugeTLB",
        r"HugeTLB:? registered (?P<n>[\d.]+) (?P<unit>[KMG]iB) page size",
        _huge,
    ),
    _hint(b"CONFIG_ARM64_", r"CONFIG_ARM64_(?P<k>4|16|64)K_PAGES=y", _config_pages),
    _any_time(
        b"oftware IO TLB",
        r"oftware IO TLB:?.*?(?:\[mem|at phys) 0x(?P<start>[0-9a-f]{1,16})"
        r" ?- ?0x(?P<end>[0-9a-f]{1,16})",
        _pool,
    ),
    _hint(b"Placing ", r"Placing (?P<mb>\d{1,9})MB software IO TLB", _placed),
    _any_time(b"area num", rf"IO TLB: area num {_N}", _areas),
    _hint(b"Brought up ", rf"Brought up \d+ nodes?, {_N} CPUs?", _cpus),
    _hint(b"nr_cpu_ids", rf"nr_cpu_ids[:=]{_N}", _cpus),
    _hint(b" available (", r"Memory: \d+[kK]/(?P<kib>\d{1,15})[kK] available", _memory),
    _hint(
        b"efault domain type",
        r"efault domain type: (?P<type>Translated|Passthrough)",
        _domain,
    ),
    _any_time(
        b"o iommu group ",
        r"(?P<device>\S+): Add(?:ing|ed) to iommu group \d+",
        _group,
    ),
    _hint(
        b"assigned reserved memory",
        r"(?P<device>\S+): assigned reserved memory node",
        _reserved,
    ),
    _hint(b"DMAR: IOMMU enabled", _IOMMU_LINE, _iommu),
    _hint(b"DMAR: Intel(R) Virt", _IOMMU_LINE, _iommu),
    _hint(b"AMD-Vi: Found IOMMU", _IOMMU_LINE, _iommu),
    _hint(b"AMD-Vi: Extended features", _IOMMU_LINE, _iommu),
    _hint(b"probing hardware configuration", _IOMMU_LINE, _iommu),
    _hint(b"-bit, oas ", _IOMMU_LINE, _iommu),
    _hint(
        b"upported page sizes: 0x",
        r"smmu\S*: .*[Ss]upported page sizes: 0x(?P<map>[0-9a-f]{1,16})",
        _smmu_pages,
    ),
    _hint(b"Booting Linux on physical CPU", r"physical CPU 0x", _arm64),
    _hint(b"BIOS-e820", r"BIOS-e820", _x86),
    _any_time(
        b"ncryption Features active",
        r"Memory Encryption Features active:\s*(?P<how>[\w ()-]+)",
        _features,
    ),
    _hint(
        b"Secure Encrypted Virtualization",
        r"Secure Encrypted Virtualization \((?P<how>SEV[\w-]*)\) active",
        _confidential,
    ),
    _hint(b"SEV", r"(?P<how>SEV(?:-ES|-SNP)?) (?:is )?active", _confidential),
    _hint(b"SEV: Status", r"SEV: Status: (?P<how>SEV[A-Z -]*)", _confidential),
    _hint(b"tdx: Guest", r"(?P<how>tdx): Guest", _confidential),
    _hint(b"TDX guest", r"(?P<how>TDX) guest", _confidential),
    _hint(b"RME: Using RSI", r"(?P<how>RME): Using RSI", _confidential),
    _hint(b"RME: ", r"(?P<how>RME): .*[Rr]ealm", _confidential),
    _hint(
        b"Isolation Config",
        r"(?P<how>Hyper-V): Isolation Config: Group A 0x[0-9a-f]+, Group B"
        r" 0x[0-9a-f]*[1-9a-f]",
        _confidential,
    ),
    _any_time(b"encryption is active", r"Memory encryption is active", _encryption),
    _any_time(
        b"estricted DMA pool",
        r"created restricted DMA pool at 0x(?P<base>[0-9a-f]{1,16}), size"
        r" (?P<mib>\d{1,9}) MiB",
        _restricted,
    ),
    _hint(
        b"CONFIG_SWIOTLB_DYNAMIC",
        r"CONFIG_SWIOTLB_DYNAMIC(?:=y| is not set)",
        _dynamic,
    ),
    _any_time(b"untrusted", r"untrusted", _untrusted),
    _hint(
        b"Xen",
        r"kernel on Xen|Hypervisor detected: Xen|Xen version[:\s]|\bDetected Xen",
        _xen,
    ),
    _hint(b"swiotlb_xen", r"xen:swiotlb_xen", _xen),
    _hint(
        b"Raspberry Pi", r"(?:Hardware name|Machine model|Model)\s*: Rasp", _raspberry
    ),
    _any_time(
        b"callbacks suppressed",
        rf"swiotlb\w*: {_N} callbacks suppressed",
        _suppressed,
    ),
)
