# SPDX-License-Identifier: GPL-2.0-only
"""Numbers as people write them: decimal or 0x..., sizes with K, M, G."""

from __future__ import annotations

_FACTORS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_LARGEST = 1 << 128


def parse_number(text: str) -> int:
    """The number that ``text`` says.

    Raises ValueError with the reason, for numbers of 2^128 and above too.
    """
    digits, factor = text.strip(), 1
    hexadecimal = digits.lower().startswith("0x")
    if digits and not hexadecimal and digits[-1].upper() in _FACTORS:
        digits, factor = digits[:-1], _FACTORS[digits[-1].upper()]
    try:
        if "_" in digits:
            raise ValueError
        number = int(digits, 16 if hexadecimal else 10) * factor
    except ValueError:
        raise ValueError("not a number (decimal or 0x..., K, M, G)") from None
    if abs(number) >= _LARGEST:
        raise ValueError("too large")
    return number
