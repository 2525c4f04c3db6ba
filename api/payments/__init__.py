"""Payments: what came in for orders, and the partner's question whether one is good."""
