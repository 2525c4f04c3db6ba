"""The commands of `billcoin` that belong to a node; `main` finds those of the other packages.

One module a command. Each imports little at its head, so that `--help` answers at once.
"""
