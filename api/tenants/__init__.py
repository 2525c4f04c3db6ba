"""Unions and their merchants: who stands behind a till, and whom to call."""
