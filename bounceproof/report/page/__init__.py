# SPDX-License-Identifier: GPL-2.0-only
"""Answers as one HTML page with pictures, and the pictures alone as SVG."""
