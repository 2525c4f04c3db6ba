"""Payment attempts: who tried to pay, told by what they signed, and what came of it."""
