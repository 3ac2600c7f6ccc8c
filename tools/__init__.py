# SPDX-License-Identifier: GPL-2.0-only
"""Programs around bounceproof that it does not ship."""
