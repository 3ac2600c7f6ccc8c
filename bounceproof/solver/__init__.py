# SPDX-License-Identifier: GPL-2.0-only
"""The only room that knows an SMT solver."""
