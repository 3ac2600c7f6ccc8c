# SPDX-License-Identifier: GPL-2.0-only
"""Mutants of a kernel tree's C, judged by compiled code and by bounceproof."""
