"""Four eyes: what one person asks for and another one lets happen."""
