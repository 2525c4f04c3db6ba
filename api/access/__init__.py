"""Who may call what: principals, roles, scopes, and the one table that admits them."""
