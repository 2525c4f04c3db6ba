"""Payments: what wallets signed, what of it the chain made final, and what partners are told."""
