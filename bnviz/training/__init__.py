"""The stacked trainer and what it measures."""
