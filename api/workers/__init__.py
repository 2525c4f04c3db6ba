"""Several workers as one service: the process that holds the port, and those that serve at it."""
