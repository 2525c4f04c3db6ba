"""The chain, as wallets ask for it through the service."""
