# SPDX-License-Identifier: GPL-2.0-only
"""A tree as a kernel model, its histories, and how they are judged."""
