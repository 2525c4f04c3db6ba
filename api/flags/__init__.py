"""Flags: what looks odd about a payer, a till or a merchant, shown to a person who decides."""
