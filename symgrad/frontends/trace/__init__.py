"""Tracing a script: the recorder, the values, the facades of ``math``, NumPy and torch, and the guards."""
