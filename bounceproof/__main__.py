# SPDX-License-Identifier: GPL-2.0-only
"""``python -m bounceproof``."""

from bounceproof.cli.main import main

main()
