"""Who may call: API keys of partners and tills.

Tokens of people (JWT), paired terminals and roles will stand beside `keys` in this package.
"""
