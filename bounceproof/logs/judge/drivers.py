# SPDX-License-Identifier: GPL-2.0-only
"""Drivers by the name they print: what they drive, and what is modelled of them."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final


class Sort(StrEnum):
    """What a driver drives, as far as advice depends on it."""

    BLOCK = "block device"
    NETWORK = "network device"
    WIRELESS = "wireless device"
    USB = "USB controller"
    GRAPHICS = "graphics device"
    MEDIA = "camera or video device"
    VIRTIO = "virtio device"
    OTHER = "device"


MODELLED: Final = {
    "nvme": "nvme",
    "nvme-apple": "nvme-apple",
    "hv_storvsc": "storvsc",
    "storvsc": "storvsc",
    "virtio_blk": "virtio-blk",
    **dict.fromkeys(
        (
            "ahci",
            "megaraid_sas",
            "mpt3sas",
            "mpi3mr",
            "qla2xxx",
            "lpfc",
            "aacraid",
            "smartpqi",
            "hpsa",
            "vmw_pvscsi",
            "hisi_sas_v3_hw",
            "pm80xx",
            "uas",
        ),
        "scsi",
    ),
}
"""The driver in a line to the name of its device in models/requests/devices.py."""

_SORTS: Final = (
    (
        Sort.BLOCK,
        r"nvme|ahci|ata|sata|pata|mega|mpt\d?|mpi3mr|qla\d|lpfc|aacraid|smartpqi|hpsa"
        r"|vmw_pvscsi|hisi_sas|pm80|uas|usb-storage|virtio_blk|hv_storvsc|storvsc|sdhci"
        r"|mmc|dwmmc|sunxi-mmc|bcm2835-mmc|meson-gx-mmc|ufs|isci|arcmsr|3w|cciss|fnic"
        r"|bfa|aic|sym53|scsi|rbd|loop|md",
    ),
    (
        Sort.WIRELESS,
        r"ath\d|ath1|iwl|mt7|mt79|rtl8\d\d\d[a-z]|rtl81|rtw|rtlwifi|brcm|mwl|mwifi|b43"
        r"|wil\d|qca|wl",
    ),
    (
        Sort.NETWORK,
        r"virtio_net|hv_netvsc|e100|igb|igc|ixgbe|i40e|ice|r81|r8125|tg3|bnx|mlx|ena"
        r"|stmm|dwmac|macb|bcmgenet|genet|fec|mv|vmxnet|atlantic|alx|atl|sky2|forcedeth"
        r"|dpaa|fsl_dpa|cxgb|sfc|qede|be2net|jme|8139|via-rhine|gianfar|hns|rswitch|ravb",
    ),
    (Sort.USB, r"xhci|ehci|ohci|uhci|dwc2|dwc3|dwc_otg|cdns|musb|usb|renesas_usb|udc"),
    (
        Sort.GRAPHICS,
        r"amdgpu|radeon|i915|xe|nouveau|nvidia|vc4|v3d|ast|qxl|udl|pan|msm|etna|rockchip"
        r"|simple-fr|efifb|mgag|bochs|virtio_gpu|vkms|sun4i|tegra|rcar-du|drm|gpu|kfd",
    ),
    (
        Sort.MEDIA,
        r"ipu|facetimehd|rcar-fcp|rcar-vin|vsp|bcm2835-codec|bcm2835_v4l2|cx23|saa7|ivtv"
        r"|unicam|uvc|csi|isp|xvi|spacemit-k1xvi|coda|hantro|venus|cedrus",
    ),
    (Sort.VIRTIO, r"virtio"),
)
_TABLE: Final = [
    (sort, re.compile(f"(?:{names})", re.IGNORECASE)) for sort, names in _SORTS
]


def sort_of(driver: str | None, device: str | None) -> Sort:
    """What this driver drives; by the device's name where there is no driver's."""
    name = driver or (device or "").rpartition(".")[2]
    for sort, pattern in _TABLE:
        if pattern.match(name):
            return sort
    return Sort.OTHER


def disk_of(driver: str | None) -> str:
    """The name under /sys/block of a disk of this driver, or a word in its place."""
    if driver == "nvme":
        return "nvme0n1"
    if driver and re.match(
        r"sdhci|mmc|dwmmc|sunxi-mmc|bcm2835-mmc|meson-gx-mmc", driver
    ):
        return "mmcblk0"
    return "DISK"
