"""Every table of the state, found in the code, and what of a state does not read back."""

import importlib
import pkgutil

import ledger
from ledger.primitives.codec import encode
from ledger.state.tables import Table


def _tables():
    found = {}
    for module in pkgutil.walk_packages(ledger.__path__, "ledger."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Table):
                assert found.setdefault(value.prefix, value) is value, "two tables of one prefix"
    return found


TABLES = _tables()
"""By prefix."""


def unreadable(entries):
    """List the keys whose records do not decode, or would be spelled otherwise."""
    return [key.hex() for key, raw in entries if not _reads_back(TABLES[key[:1]], raw)]


def _reads_back(table, raw):
    try:
        return encode(table.decode(raw)) == raw
    except ValueError:
        return False
