"""``python -m symgrad``."""

from symgrad.cli import main

main(prog_name="symgrad")
