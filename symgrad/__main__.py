"""``python -m symgrad``."""

from symgrad.cli import entry

entry()
