"""Questions that may be asked of a network or a run, and how they are answered."""
