"""Limits: how much a subject may ask in a minute, counted once for all workers."""
