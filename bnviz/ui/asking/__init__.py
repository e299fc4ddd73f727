"""Questions of a page to the workers, asked in the background."""
