# SPDX-License-Identifier: GPL-2.0-only
"""What the kernel computes: pure functions over machine words, and kernel states."""
