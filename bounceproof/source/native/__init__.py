# SPDX-License-Identifier: GPL-2.0-only
"""The tree's own functions, compiled and run behind a fence."""
