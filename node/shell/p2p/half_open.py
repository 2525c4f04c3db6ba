"""Connections that have not proved who they are: few, from one address fewer, none for long.

A newcomer never waits: at a bound the one that has tried longest gives way, so silent strangers
displace each other. Hosts where validators listen have places of their own, which strangers from
elsewhere can't take.
"""

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

import trio

from node.addresses import group_of

STRANGERS_MAX: Final = 128
PER_ADDRESS_MAX: Final = 8
TRIES_PER_PEER: Final = 4
"""A peer that starts anew may try again before its last try has ended."""

Places = dict[trio.CancelScope, None]


class HalfOpenPlaces:
    """Who is being upgraded; the oldest try stands first."""

    def __init__(self, peer_hosts: Iterable[str]) -> None:
        peers = Counter(group_of(host) for host in peer_hosts)
        self._known = {
            group: max(PER_ADDRESS_MAX, TRIES_PER_PEER * count) for group, count in peers.items()
        }
        self._by_group: dict[str, Places] = {}
        self._strangers: Places = {}

    def __len__(self) -> int:
        return sum(len(places) for places in self._by_group.values())

    @contextlib.contextmanager
    def place(self, host: str) -> Iterator[trio.CancelScope]:
        """Hold a place for the block, which is cancelled when another needs it."""
        group = group_of(host)
        known = self._known.get(group)
        places = self._by_group.setdefault(group, {})
        if len(places) >= (known or PER_ADDRESS_MAX):
            _give_way(places)
        elif known is None and len(self._strangers) >= STRANGERS_MAX:
            _give_way(self._strangers)
        with trio.CancelScope() as scope:
            places[scope] = None
            if known is None:
                self._strangers[scope] = None
            try:
                yield scope
            finally:
                del places[scope]
                self._strangers.pop(scope, None)
                if not places:
                    self._by_group.pop(group, None)


def _give_way(places: Places) -> None:
    """Cancel the oldest try that is not cancelled already."""
    for scope in places:
        if not scope.cancel_called:
            scope.cancel()
            return
