"""How well the service was there: a row a minute, and what 30 days of them say."""
