# SPDX-License-Identifier: GPL-2.0-only
"""The declarations of a tree, and what is assumed of all that it calls outside."""
