# SPDX-License-Identifier: GPL-2.0-only
"""What the kernel does, step by step, on real slots and real lists."""
