"""The request log: a key's last thousand requests, for who has to find out what went wrong."""
