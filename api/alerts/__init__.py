"""Alerts: what a person has to look after, found in what is written, over when it is mended."""
