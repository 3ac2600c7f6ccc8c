# SPDX-License-Identifier: GPL-2.0-only
"""The error of this room."""

from __future__ import annotations

from bounceproof.errors import InputError


class LogError(InputError):
    """A log that cannot be read, or that has nothing to explain; one line, exit 2."""
