"""People of a union: invitations, logins, sessions, wallets, and what the office does for them."""
