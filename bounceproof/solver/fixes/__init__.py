# SPDX-License-Identifier: GPL-2.0-only
"""Which known fixes make a contract hold."""
