# SPDX-License-Identifier: GPL-2.0-only
"""Evaluation of C over Words: memory, expressions, statements, the outside."""
