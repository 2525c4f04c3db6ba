"""Welcomes: whoever links their first wallet gets the first fees from their union's float, once."""
