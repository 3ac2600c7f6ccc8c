# SPDX-License-Identifier: GPL-2.0-only
"""What an operator can do about it, and what to look up."""
