# SPDX-License-Identifier: GPL-2.0-only
"""What a pool can carry, in closed form: shapes of mappings, what blocks a slot set."""
