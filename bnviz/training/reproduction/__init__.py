"""Claims of the literature, measured again."""
