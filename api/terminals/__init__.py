"""Tills: paired with a code and a look at four digits, bound to a key, worked at with a PIN."""
