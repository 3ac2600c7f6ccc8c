# SPDX-License-Identifier: GPL-2.0-only
"""bounceproof: can a DMA mapping within the driver's limit ever fail in swiotlb?"""

__version__ = "0.1.0"
