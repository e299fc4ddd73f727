"""Sentences that follow from records and numbers."""
