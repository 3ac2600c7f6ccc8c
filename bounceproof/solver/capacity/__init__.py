# SPDX-License-Identifier: GPL-2.0-only
"""What a pool is proved to carry, whatever came before."""
