"""What is trained: the experiment, its settings, addresses, presets and changes."""
