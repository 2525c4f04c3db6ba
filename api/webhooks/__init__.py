"""Webhooks: a merchant's events, signed and sent to the addresses that it names."""
