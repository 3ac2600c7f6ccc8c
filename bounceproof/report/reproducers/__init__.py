# SPDX-License-Identifier: GPL-2.0-only
"""Programs that make a running kernel hit a counterexample, and their templates."""
