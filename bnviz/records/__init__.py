"""What was measured: frozen records of NumPy arrays and plain values, and the history of a run."""
