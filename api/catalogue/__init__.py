"""The catalogue: what is sold, in which pack, at which price."""
