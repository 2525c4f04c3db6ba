"""The chain: the way to nodes, where they stand, and the follower that settles final blocks."""
