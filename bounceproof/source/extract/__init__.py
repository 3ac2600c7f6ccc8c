# SPDX-License-Identifier: GPL-2.0-only
"""What the tree's code computes: search, limit, mapping, release."""
