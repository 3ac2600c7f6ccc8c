# SPDX-License-Identifier: GPL-2.0-only
"""Who can meet a request: the machines on which a device bounces, state by state."""
