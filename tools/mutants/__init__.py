# SPDX-License-Identifier: GPL-2.0-only
"""Change each decision point of each kernel state: which property notices?"""
