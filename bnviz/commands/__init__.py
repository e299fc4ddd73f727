"""The subcommands of `python -m bnviz`."""
