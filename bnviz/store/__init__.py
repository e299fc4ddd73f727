"""Runs that last: a database of them, SQLite in the user's data directory or any that BNVIZ_DATABASE names."""
