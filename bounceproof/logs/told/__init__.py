# SPDX-License-Identifier: GPL-2.0-only
"""What a log tells beside its failures: version, pages, pool, IOMMU, options."""
