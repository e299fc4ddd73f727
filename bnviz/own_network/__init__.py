"""A network of the user's own, any `torch.nn.Module`: watched while it trains, and diagnosed."""
