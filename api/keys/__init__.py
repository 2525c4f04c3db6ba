"""API keys of merchants and partners: drawn, kept as digests, read."""
