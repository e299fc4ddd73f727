"""Code that only a worker calls: the web process names it, importing it loads no torch."""
