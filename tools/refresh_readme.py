# SPDX-License-Identifier: GPL-2.0-only
"""Run the examples of the README and of the pages beside it again, and write what they
print."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = (ROOT / "README.md", ROOT / "docs" / "operators-sizing.md")
BLOCK = re.compile(r"(?ms)^```\n\$ (bounceproof (?:[^\n]*\\\n)*[^\n]*)\n.*?^```$")


def fresh(match: re.Match[str]) -> str:
    """The block with what its command prints now."""
    command = match.group(1)
    words = shlex.split(command.replace("\\\n", " "))
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return f"```\n$ {command}\n{done.stdout}```"


def main() -> int:
    """Write every page anew."""
    for page in PAGES:
        page.write_text(BLOCK.sub(fresh, page.read_text()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
