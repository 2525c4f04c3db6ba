"""Events: what happened, told as it happens."""
