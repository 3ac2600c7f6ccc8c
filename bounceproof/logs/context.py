# SPDX-License-Identifier: GPL-2.0-only
"""What else a boot's log tells: version, pages, pool, areas, IOMMU, command line."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from bounceproof.models.constants import IO_TLB_SHIFT, PAGE_SIZES


@dataclass(slots=True)
class Facts:
    """One boot.  None or empty where the log is silent.

    Sizes in bytes, ``nslabs`` in slots.  ``page_size_from`` names the line the page
    size was read from.  ``iommu_devices``: devices in an IOMMU group.
    """

    version: str | None = None
    release: str | None = None
    distribution: str | None = None
    arch: str | None = None
    command_line: str | None = None
    swiotlb_option: str | None = None
    iommu_options: list[str] = field(default_factory=list)
    page_size: int | None = None
    page_size_from: str | None = None
    granule: int | None = None
    pool_start: int | None = None
    nslabs: int | None = None
    nareas: int | None = None
    cpus: int | None = None
    iommu: str | None = None
    default_domain: str | None = None
    iommu_devices: set[str] = field(default_factory=set)
    confidential: str | None = None
    restricted_pool: bool = False
    untrusted: bool = False

    def shown(self) -> dict[str, Any]:
        """What the log told, as JSON values."""
        told = asdict(self)
        told["iommu_devices"] = sorted(self.iommu_devices)
        return {name: value for name, value in told.items() if value}


Reader = Callable[[Facts, re.Match[str]], None]


def _page_size(facts: Facts, size: int, source: str) -> None:
    if size in PAGE_SIZES and facts.page_size is None:
        facts.page_size, facts.page_size_from = size, source


def _is_x86(facts: Facts, found: re.Match[str]) -> None:
    facts.arch = "x86"
    _page_size(facts, 4096, "x86 has 4 KiB pages")


def _is_arm64(facts: Facts, found: re.Match[str]) -> None:
    facts.arch = "arm64"


_UPSTREAM = (
    re.compile(r"\bDebian (\d+\.\d+(?:\.\d+)?)"),
    re.compile(r"\(Ubuntu [^)]*?(\d+\.\d+\.\d+)\)"),
)
_ARCHES = (("x86_64", _is_x86), ("amd64", _is_x86), ("aarch64", _is_arm64))
_SUFFIX = re.compile(r"[-+.](64|16|4)k(?:\b|[-_])", re.IGNORECASE)


def _version(facts: Facts, found: re.Match[str]) -> None:
    facts.release = found["release"]
    line = found.string[found.start() :]
    numbers = re.match(r"\d+\.\d+(?:\.\d+)?(?:-rc\d+)?", found["release"])
    facts.version = numbers[0] if numbers else None
    for pattern in _UPSTREAM:
        upstream = pattern.search(line)
        if upstream:
            facts.version = upstream[1]
    for name in ("Ubuntu", "Debian", "Red Hat", "SUSE", "Amazon", "Microsoft"):
        if name in line:
            facts.distribution = name
    for word, reader in _ARCHES:
        if word in line:
            reader(facts, found)
    suffix = _SUFFIX.search(found["release"])
    if suffix:
        _page_size(facts, int(suffix[1]) << 10, "the kernel's name")


_IOMMU_OPTIONS = ("iommu", "intel_iommu=", "amd_iommu=", "arm-smmu", "mem_encrypt=")


def _command_line(facts: Facts, found: re.Match[str]) -> None:
    line = found["line"].strip()
    facts.command_line = facts.command_line or line
    for word in line.split():
        if word.startswith("swiotlb="):
            facts.swiotlb_option = word[8:]
        if word.startswith(_IOMMU_OPTIONS) and word not in facts.iommu_options:
            facts.iommu_options.append(word)


def _hash_table(facts: Facts, found: re.Match[str]) -> None:
    order, size = int(found["order"]), int(found["bytes"])
    if 0 <= order < 32:
        _page_size(facts, size >> order, "a hash table's order and bytes")


def _percpu(facts: Facts, found: re.Match[str]) -> None:
    pages = int(found["pages"])
    unit = sum(int(found[name]) for name in "srd")
    if pages and unit % pages == 0:
        _page_size(facts, unit // pages, "percpu: bytes and pages of a CPU")


def _huge(facts: Facts, found: re.Match[str]) -> None:
    size = f"{found['n']} {found['unit']}"
    known = {"512 MiB": 65536, "1.00 GiB": 4096, "1 GiB": 4096}
    _page_size(facts, known.get(size, 0), f"hugetlb pages of {size}")


def _config_pages(facts: Facts, found: re.Match[str]) -> None:
    facts.arch = "arm64"
    _page_size(facts, int(found["k"]) << 10, found[0])


def _pool(facts: Facts, found: re.Match[str]) -> None:
    start, end = int(found["start"], 16), int(found["end"], 16)
    size = int(found["mb"]) << 20
    if size and end > start:
        facts.pool_start, facts.nslabs = start, size >> IO_TLB_SHIFT


def _areas(facts: Facts, found: re.Match[str]) -> None:
    facts.nareas = int(found["n"])


def _cpus(facts: Facts, found: re.Match[str]) -> None:
    facts.cpus = max(facts.cpus or 0, int(found["n"]))


def _domain(facts: Facts, found: re.Match[str]) -> None:
    facts.default_domain = found["type"].lower()


def _group(facts: Facts, found: re.Match[str]) -> None:
    facts.iommu_devices.add(found["device"])


_IOMMUS = {"arm-smmu": "arm-smmu", "DMAR": "Intel VT-d", "AMD-Vi": "AMD-Vi"}


def _iommu(facts: Facts, found: re.Match[str]) -> None:
    name = found["iommu"]
    facts.iommu = next(v for k, v in _IOMMUS.items() if name.startswith(k))
    if name.startswith("arm-smmu"):
        facts.arch = "arm64"
    else:
        _is_x86(facts, found)


def _smmu_pages(facts: Facts, found: re.Match[str]) -> None:
    bitmap = int(found["map"], 16)
    facts.arch = "arm64"
    sizes = [size for size in PAGE_SIZES if bitmap & size]
    if facts.page_size is not None:
        fitting = [size for size in sizes if size <= facts.page_size]
        facts.granule = max(fitting, default=None)


def _confidential(facts: Facts, found: re.Match[str]) -> None:
    facts.confidential = " ".join(found["how"].split())


def _restricted(facts: Facts, found: re.Match[str]) -> None:
    facts.restricted_pool = True


def _untrusted(facts: Facts, found: re.Match[str]) -> None:
    facts.untrusted = True


@dataclass(frozen=True, slots=True)
class Hint:
    """A line that tells something: the bytes it holds, its pattern, its reader."""

    anchor: bytes
    pattern: re.Pattern[str]
    read: Reader


def _hint(anchor: bytes, pattern: str, read: Reader) -> Hint:
    return Hint(anchor, re.compile(pattern), read)


_IOMMU_LINE = r"(?P<iommu>DMAR|AMD-Vi|arm-smmu[\w-]*)"
BOOT: Final = _hint(
    b"Linux version ", r"Linux version (?P<release>\d+\.\d+\S*)", _version
)
HINTS: Final = (
    BOOT,
    _hint(b"ommand line: ", r"[Cc]ommand line: (?P<line>.*)", _command_line),
    _hint(
        b"hash table entries",
        r"hash table entries: \d+ \(order: (?P<order>-?\d+), (?P<bytes>\d+) bytes",
        _hash_table,
    ),
    _hint(
        b"percpu: Embedded",
        r"percpu: Embedded (?P<pages>\d+) pages/cpu.*? s(?P<s>\d+) r(?P<r>\d+)"
        r" d(?P<d>\d+)",
        _percpu,
    ),
    _hint(
        b"HugeTLB",
        r"HugeTLB:? registered (?P<n>[\d.]+) (?P<unit>[KMG]iB) page size",
        _huge,
    ),
    _hint(b"CONFIG_ARM64_", r"CONFIG_ARM64_(?P<k>4|16|64)K_PAGES=y", _config_pages),
    _hint(
        b"oftware IO TLB",
        r"oftware IO TLB:?.*?\[mem 0x(?P<start>[0-9a-f]+)-0x(?P<end>[0-9a-f]+)\]"
        r" \((?P<mb>\d+)MB\)",
        _pool,
    ),
    _hint(b"IO TLB: area num", r"area num (?P<n>\d+)", _areas),
    _hint(b"Brought up ", r"Brought up \d+ nodes?, (?P<n>\d+) CPUs?", _cpus),
    _hint(b"nr_cpu_ids", r"nr_cpu_ids[:=](?P<n>\d+)", _cpus),
    _hint(
        b"efault domain type",
        r"efault domain type: (?P<type>Translated|Passthrough)",
        _domain,
    ),
    _hint(
        b"o iommu group ",
        r"(?P<device>\S+): Add(?:ing|ed) to iommu group \d+",
        _group,
    ),
    _hint(b"DMAR: IOMMU enabled", _IOMMU_LINE, _iommu),
    _hint(b"DMAR: Intel(R) Virt", _IOMMU_LINE, _iommu),
    _hint(b"AMD-Vi: Found IOMMU", _IOMMU_LINE, _iommu),
    _hint(b"AMD-Vi: Extended features", _IOMMU_LINE, _iommu),
    _hint(b"probing hardware configuration", _IOMMU_LINE, _iommu),
    _hint(b"-bit, oas ", _IOMMU_LINE, _iommu),
    _hint(
        b"upported page sizes: 0x",
        r"smmu\S*: .*[Ss]upported page sizes: 0x(?P<map>[0-9a-f]+)",
        _smmu_pages,
    ),
    _hint(b"Booting Linux on physical CPU", r"physical CPU 0x", _is_arm64),
    _hint(b"BIOS-e820", r"BIOS-e820", _is_x86),
    _hint(
        b"ncryption Features active",
        r"Memory Encryption Features active:\s*(?P<how>[\w ()-]+)",
        _confidential,
    ),
    _hint(b"tdx: Guest detected", r"(?P<how>tdx): Guest", _confidential),
    _hint(b"TDX guest", r"(?P<how>TDX) guest", _confidential),
    _hint(b"RME: ", r"(?P<how>RME): .*[Rr]ealm", _confidential),
    _hint(b"estricted DMA pool", r"estricted DMA pool", _restricted),
    _hint(b"untrusted", r"untrusted", _untrusted),
)
