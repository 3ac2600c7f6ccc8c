# SPDX-License-Identifier: GPL-2.0-only
"""Made-up logs in the shapes that people post: what each must be told, or not."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Post:
    """``says``: pieces of the text answer, in order of no importance; ``never``: what
    must not be in it."""

    log: str
    verdict: str | None
    says: tuple[str, ...] = ()
    never: tuple[str, ...] = ()


def full(who: str, sz: int, total: int, used: int) -> str:
    """The message with totals."""
    return (
        f"[   12.500000] {who}: swiotlb buffer is full (sz: {sz} bytes),"
        f" total {total} (slots), used {used} (slots)\n"
    )


def oops(release: str, taint: str = "Not tainted") -> str:
    """The line of a warning's or an Oops's register dump that names the kernel."""
    return f"[   12.600000] CPU: 3 PID: 77 Comm: kworker/3:1 {taint} {release} #1\n"


PI = "Hardware name: Raspberry Pi 4 Model B Rev 1.4 (DT)\n"
TDX = "[    0.1] Memory Encryption Features active: Intel TDX\n"
RESTRICTED = (
    "[    0.0] software IO TLB: Reserved memory: created restricted DMA pool at"
    " 0x0000000050000000, size 4 MiB\n"
    "[    0.0] software IO TLB: mapped [mem 0x00000000f8000000-0x00000000fc000000]"
    " (64MB)\n"
)
NO_IOMMU_WARNING = ("Do not turn the IOMMU off",)

POSTS: dict[str, Post] = {
    "small on a disk's driver": Post(
        full("virtio-pci 0000:00:03.0", 1514, 32768, 32768),
        "pool-full",
        ("The pool was full", "swiotlb=65536 (128 MiB)"),
        ("max_sectors_kb", "that is modelled"),
    ),
    "ahci 36": Post(full("ahci 0000:00:1f.2", 36, 32768, 32768), "pool-full"),
    "nvme 20": Post(full("nvme 0000:01:00.0", 20, 32768, 32768), "pool-full"),
    "storvsc 18": Post(
        full("hv_storvsc 12345678-1234-1234-1234-123456789abc", 18, 32768, 32768),
        "pool-full",
    ),
    "megaraid 252": Post(
        full("megaraid_sas 0000:03:00.0", 252, 32768, 32768), "pool-full"
    ),
    "no pool": Post(
        "Kernel command line: ro iommu=off quiet\n"
        + full("ehci-pci 0000:00:1a.0", 8, 0, 0)
        + "[   12.6] ehci-pci 0000:00:1a.0: overflow 0x0000000a1c8f9a60+8 of DMA mask"
        " ffffffff bus limit 0\n",
        "no-pool",
        ("has no pool of them", "Remove iommu=off", "beyond 0xffffffff"),
        ("pool was full", "0 slots free"),
    ),
    "guest at the cap": Post(
        "Linux version 6.18.2 (a@b) (gcc) #1 SMP x86_64\n"
        + TDX
        + full("virtio-pci 0000:00:02.0", 262144, 524288, 523564),
        "pool-practically-full",
        ("99.9 %", "below 4 GiB", "CONFIG_SWIOTLB_DYNAMIC=y"),
        ("Boot with swiotlb=", "max_sectors_kb", *NO_IOMMU_WARNING),
    ),
    "guest below the cap": Post(
        "Linux version 6.8.5 (a@b) (gcc) #1 SMP x86_64\n"
        + TDX
        + full("nvme 0000:00:02.0", 65536, 131072, 131070),
        "pool-full",
        ("swiotlb=262144 (512 MiB)", "below 4 GiB", "CONFIG_SWIOTLB_DYNAMIC"),
    ),
    "told what is set": Post(
        "Kernel command line: root=/dev/sda1 swiotlb=65536,8,force\n"
        + full("ahci 0000:00:1f.2", 65536, 65536, 65530),
        "pool-full",
        ("swiotlb=131072,8,force (256 MiB)",),
        ("swiotlb=65536 (",),
    ),
    "asked for more than there is": Post(
        "Kernel command line: swiotlb=1048576\n"
        + full("ahci 0000:00:1f.2", 65536, 262144, 262143),
        "pool-full",
        ("swiotlb=1048576 asks for 2 GiB", "found room for 512 MiB"),
        ("Boot with swiotlb=",),
    ),
    "restricted pool": Post(
        "Linux version 6.6.20 (a@b) (gcc) #1 SMP aarch64\n"
        + RESTRICTED
        + full("ath11k c000000.wifi", 2048, 2048, 2048),
        "pool-full",
        ("restricted-dma-pool", "8 MiB", "does not reach that pool"),
        ("Boot with swiotlb=", "max_sectors_kb"),
    ),
    "beyond belief": Post(
        full("nvme 0000:01:00.0", 65536, 10**12, 10**12),
        "pool-full",
        ("No machine has such a pool",),
        ("Boot with swiotlb=", "MiB)"),
    ),
    "too large for any pool": Post(
        full("ast 0000:07:00.0", 3145728, 32768, 0),
        "could-never-fit",
        ("256 KiB at most", "asked for 3 MiB", "ast's maintainers"),
        ("swiotlb=65536", "max_sectors_kb", *NO_IOMMU_WARNING),
    ),
    "too large in a full pool": Post(
        full("amdgpu 0000:0d:00.0", 2097152, 524288, 524280),
        "could-never-fit",
        ("256 KiB at most",),
        ("Boot with swiotlb=",),
    ),
    "Raspberry Pi graphics": Post(
        full("v3d fec00000.v3d", 536576, 32768, 3487)
        + "[   12.5] v3d fec00000.v3d: overflow 0x0000000040898000+536576 of DMA mask"
        " 7ffffffff bus mask 3fffffff\n"
        + oops("5.4.11-1-pi4.aarch64", "Tainted: G         C       ")
        + PI,
        "could-never-fit",
        ("5.4.11-1-pi4.aarch64", "orig_addr 0x40898000", "beyond 0x3fffffff"),
        NO_IOMMU_WARNING,
    ),
    "Xen": Post(
        "Booting paravirtualized kernel on Xen\n"
        + full("amdgpu 0000:0d:00.0", 2097152, 32768, 0),
        "could-never-fit",
        ("machine memory",),
        NO_IOMMU_WARNING,
    ),
    "no device": Post(
        full("", 524288, 32768, 4).replace(": swiotlb", "swiotlb"),
        "could-never-fit",
        ("A driver asked for 512 KiB", "used 4 (slots)"),
        ("A driver's maintainers",),
    ),
    "segment boundary": Post(
        full("xhci_hcd 0000:0a:00.0", 8192, 32768, 16)
        + "[   12.5] xhci_hcd 0000:0a:00.0: DMAR: Device bounce map: 16ea@1411c0000 dir"
        " 1 --- failed\n",
        "segment-boundary",
        ("segment boundary", "orig_addr 0x1411c0000, 5866 bytes", "d5c65d32dc24"),
        ("fragmented", "Boot with swiotlb="),
    ),
    "old message": Post(
        "[ 4851.947037] rtl8821ae 0000:02:00.0: swiotlb buffer is full (sz: 9100 bytes)"
        "\n[ 4851.947039] DMA: Out of SW-IOMMU space for 9100 bytes at device"
        " 0000:02:00.0\n",
        "pool-full-or-fragmented",
        ("v4.20 or earlier", "has no totals"),
        ("v7.3.4", "line 2"),
    ),
    "old message, no second line": Post(
        "[ 1.0] dwc3 38200000.dwc3: swiotlb buffer is full (sz: 16384 bytes)\n",
        "pool-full-or-fragmented",
        ("v5.1 or earlier",),
        ("v7.3.4", "/sys/bus/pci/"),
    ),
    "beyond the mask, no pool": Post(
        "[ 26.7] ata_piix 0000:00:01.1: DMA addr 0x000000010fc14000+49152 overflow"
        " (mask ffffffff, bus limit 0).\n" + oops("5.6.0-rc5-next-20200311+"),
        "out-of-reach",
        ("cannot reach the memory at 0x10fc14000", "no bounce buffer pool"),
        ("max_sectors_kb",),
    ),
    "an address that is none": Post(
        "sunxi-mmc 4021000.mmc: DMA addr 0x0000800051eab954+4 overflow (mask ffffffff,"
        " bus limit 0).\n",
        "out-of-reach",
        ("no memory's",),
    ),
    "within the mask": Post(
        "dma-pl330 fe550000.dma-controller: DMA addr 0x00000000fe410024+4 overflow"
        " (mask ffffffff, bus limit 0).\n",
        "out-of-reach",
        ("though it reaches up to 0xffffffff",),
        ("cannot reach",),
    ),
    "pool out of reach": Post(
        "dwmmc_rockchip fe2b0000.mmc: swiotlb addr 0x00000001faf00000+4096 overflow"
        " (mask ffffffff, bus limit 0).\n",
        "out-of-reach",
        ("0x1faf00000", "has to lie below 4 GiB"),
        ("Boot with swiotlb=",),
    ),
    "mask narrower than the bus": Post(
        "xhci_hcd 0000:08:00.0: swiotlb addr 0x00000004184f3000+8 overflow (mask"
        " ffffffff, bus limit 5ffffffff).\n",
        "out-of-reach",
        ("wider DMA mask",),
    ),
    "no memory at boot": Post(
        "software IO TLB: swiotlb_memblock_alloc: Failed to allocate 67108864 bytes tlb"
        " structure\n"
        "software IO TLB: swiotlb_memblock_alloc: Failed to allocate 33554432 bytes for"
        " tlb structure\n",
        None,
        ("could not allocate 64 MiB nor 32 MiB",),
    ),
    "no low mem": Post("[ 0.8] software IO TLB: No low mem\n", None, ("no pool",)),
    "panic of v3": Post(
        "Kernel panic - not syncing: DMA: Random memory could be DMA written\n",
        None,
        ("v4.20",),
    ),
    "panic without a pool": Post(
        "Kernel panic - not syncing: Can not allocate SWIOTLB buffer earlier and can't"
        " now provide you with the DMA bounce buffer\n",
        "no-pool",
        ("no pool",),
        ("not syncing needs",),
    ),
    "an AMD IOMMU that gave the pool back": Post(
        "[ 0.4] AMD-Vi: Extended features (0x246577efa2254afa): PPR NX GT [5] IA GA\n"
        "[ 0.4] software IO TLB: tearing down default memory pool\n"
        + full("nvme 0000:3f:00.0", 4096, 0, 0)
        + oops("5.15.3"),
        "no-pool",
        ("121660bba631 (v5.19)",),
    ),
    "a driver that was changed": Post(
        full("dwmmc_starfive 16020000.mmc", 524288, 32768, 96) + oops("6.1.119"),
        "could-never-fit",
        ("1635e407a4a6", "echo 256 > /sys/block/mmcblk0/queue/max_sectors_kb"),
    ),
    "pool not decrypted": Post(
        "[ 0.1] software IO TLB: Failed to decrypt default memory pool, disabling it\n"
        + full("virtio-pci 0000:00:02.0", 4096, 32768, 32768),
        "pool-disabled",
        ("could not decrypt",),
        ("Boot with swiotlb=",),
    ),
    "a leak": Post(
        "".join(
            full("rtl8192ee 0000:05:00.0", 4000, 32768, 30000 + 20 * i).replace(
                "12.5", f"{100 * i}.5"
            )
            for i in range(100)
        ),
        "pool-practically-full",
        ("never fell: a leak", "Find what rtl8192ee does not unmap"),
        ("max_sectors_kb",),
    ),
    "a burst": Post(
        full("mt7615e 0000:01:00.0", 3776, 32768, 31415)
        + full("mt7615e 0000:01:00.0", 3776, 32768, 31983).replace("12.5", "12.58")
        + oops("5.4.93"),
        "pool-practically-full",
        ("31415 to 31983 of 32768", "within 0.08 s", "5.4.93"),
        ("max_sectors_kb", "are left out", "v7.3.4"),
    ),
    "wrapped by mail": Post(
        "> > [ 1602.977532] swiotlb_tbl_map_single: 26 callbacks suppressed [\n"
        "> > 1602.977536] cdns-usb3 cdns-usb3.1: swiotlb buffer is full (sz:\n"
        "> > 524288 bytes), total 32768 (slots), used 0 (slots)\n> >\n",
        "could-never-fit",
        ("cdns-usb3 cdns-usb3.1, 512 KiB", "held 26 more", "total 32768"),
        ("cut in the middle",),
    ),
    "wrapped after the device": Post(
        "Mar 16 18:11:41 box kernel: [ 4851.947037] rtl8821ae 0000:02:00.0:\n"
        "swiotlb buffer is full (sz: 9100 bytes)\n"
        "Mar 16 18:11:41 box kernel: [ 4851.947039] DMA: Out of SW-IOMMU space\n"
        "for 9100 bytes at device 0000:02:00.0\n",
        "pool-full-or-fragmented",
        ("rtl8821ae 0000:02:00.0, 9100 bytes",),
    ),
    "wrapped in the message": Post(
        "hv_storvsc 12345678-1234-1234-1234-123456789abc: swiotlb\n"
        "buffer is full (sz: 65536 bytes), total 32768\n(slots), used 32768 (slots)\n",
        "pool-full",
        ("hv_storvsc 12345678-1234-1234-1234-123456789abc, 64 KiB",),
    ),
    "quoted-printable": Post(
        "Content-Transfer-Encoding: quoted-printable\n\n"
        "[   37.078676] xhci-hcd ee000000.usb: swiotlb buffer is full (sz: 524288 by=\n"
        "tes), total 32768 (slots), used 1338 (slots)\n",
        "could-never-fit",
        ("xhci-hcd ee000000.usb, 512 KiB",),
    ),
}
