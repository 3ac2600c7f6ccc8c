# SPDX-License-Identifier: GPL-2.0-only
"""From bytes to messages: unpacking, cleaning, rejoining, counting."""
