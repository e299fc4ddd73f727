"""The layers and the stacked networks, in PyTorch."""
