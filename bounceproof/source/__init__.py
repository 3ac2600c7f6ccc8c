# SPDX-License-Identifier: GPL-2.0-only
"""Kernel C, read from a tree, a git revision or a patch, as a kernel model."""
