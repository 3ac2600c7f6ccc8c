# SPDX-License-Identifier: GPL-2.0-only
"""Kernel logs: find what swiotlb printed, and say which requests can print it."""
