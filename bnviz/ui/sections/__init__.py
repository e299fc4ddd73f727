"""Parts that several pages, or one long page, are made of."""
