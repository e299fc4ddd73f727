"""Closed forms that need no training: NumPy alone."""
