# SPDX-License-Identifier: GPL-2.0-only
"""Many mappings at once, on areas and CPUs: histories given, or drawn at random."""
