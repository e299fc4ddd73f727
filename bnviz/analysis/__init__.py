"""Numbers that follow from records."""
