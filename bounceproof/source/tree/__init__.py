# SPDX-License-Identifier: GPL-2.0-only
"""Files of a kernel: folders, archives, git revisions, and patches on top."""
