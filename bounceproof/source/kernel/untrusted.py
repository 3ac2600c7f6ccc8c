# SPDX-License-Identifier: GPL-2.0-only
"""Which devices a tree marks untrusted, read off its text."""

from __future__ import annotations

import re

from bounceproof.models.reach.rules import Untrusted
from bounceproof.source.tree.tree import Tree

PROBE, PCI = "drivers/pci/probe.c", "include/linux/pci.h"
_FUNCTION = re.compile(r"(?ms)^static void set_pcie_untrusted\(.*?^}")
_REMOVABLE = "arch_pci_dev_is_removable"
_X86_ALONE = re.compile(
    r"#if defined\(CONFIG_X86\) && defined\(CONFIG_ACPI\)\s*\n"
    rf"[^#]*\b{_REMOVABLE}\(struct pci_dev \*\w+\);\s*\n"
    rf"#else\s*\n[^#]*\b{_REMOVABLE}\([^#]*\breturn false;[^#]*#endif"
)


def untrusted_rule(tree: Tree) -> Untrusted | None:
    """The rule of set_pcie_untrusted(), None where it is no known one."""
    found = _FUNCTION.search(tree.read(PROBE) or "")
    if found is None:
        return None
    body = found.group(0)
    if _REMOVABLE in body:
        alone = _X86_ALONE.search(tree.read(PCI) or "")
        return Untrusted.REMOVABLE if alone else None
    return Untrusted.BELOW_EXTERNAL if "external_facing" in body else None
