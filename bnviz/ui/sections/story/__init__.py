"""The pages of the story."""
