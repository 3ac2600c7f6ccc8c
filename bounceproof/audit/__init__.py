# SPDX-License-Identifier: GPL-2.0-only
"""Many questions at once: cells, executors, and a store that outlives interruptions."""
