"""Lots, and the way from whatever somebody bought back to the farms, as a node tells it."""
