"""Lies about a state, as a bug might write them, and what an audit says of the state then."""

from msgspec.structs import replace

from ledger.invariants import audit
from ledger.state import tables as t


def change(table, name, /, **fields):
    """Make a lie that changes some fields of a record; a function is given what a field holds."""

    def lie(o):
        was = table.get(o, name)
        given = {k: v(getattr(was, k)) if callable(v) else v for k, v in fields.items()}
        table.put(o, replace(was, **given), name)

    return lie


def up(units):
    return lambda held: held + units


def both(*lies):
    def lie(o):
        for each in lies:
            each(o)

    return lie


def elsewhere(table, name, other):
    """Put a record under another name."""

    def lie(o):
        table.put(o, table.get(o, name), other)
        table.remove(o, name)

    return lie


def audited(story, state):
    """List what an audit finds in a story's state with lies on top."""
    entries = dict(story.entries()) | dict(state.changes)
    whole = [(k, v) for k, v in sorted(entries.items()) if v is not None]
    return audit(whole, state.accumulator, t.parameters(story.state), story.place).findings
