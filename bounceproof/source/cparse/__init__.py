# SPDX-License-Identifier: GPL-2.0-only
"""C text to syntax: lexer, preprocessor, conditions, declarations, statements."""
