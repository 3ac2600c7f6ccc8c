# SPDX-License-Identifier: GPL-2.0-only
"""Answers for other programs: SARIF, JUnit XML, KTAP."""
