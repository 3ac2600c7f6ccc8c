# SPDX-License-Identifier: GPL-2.0-only
"""What ``import bounceproof`` offers: questions as functions, answers as records."""
