# SPDX-License-Identifier: GPL-2.0-only
"""Why a mapping failed: the causes, and the arithmetic of the requests."""
