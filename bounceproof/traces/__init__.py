# SPDX-License-Identifier: GPL-2.0-only
"""Traces of what a machine mapped: blkparse, fio and the swiotlb tracepoint."""
