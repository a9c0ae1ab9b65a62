"""Expressions whose names stand for arrays: from shapes and values to a report."""
