"""Refunds: money back to whoever paid, in the units that were paid, never more than was paid."""
