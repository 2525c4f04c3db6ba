"""The shelf: stored envelopes at hand, read once, from where the chain stands on.

It holds what windows and collections are cut from, and lets go of what the chain is done with. All
of it is in the archive: a restart loses nothing.
"""

from typing import Final

from iot_minting.gateway.archive import Archive
from iot_minting.gateway.pieces import Piece
from ledger.primitives.keys import PublicKey

PIECES_MAX: Final = 20_000
"""Envelopes of one device that are at hand; later ones are read as the chain goes on."""


class PieceShelf:
    """Each device's pieces after a number that only goes up."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._pieces: dict[PublicKey, list[Piece]] = {}

    def after(self, device: PublicKey, number: tuple[int, int], since_ms: int = 0) -> list[Piece]:
        """Give a device's pieces after a number that did not end before a time, in order."""
        held = self._pieces.get(device, [])
        gone = 0
        while gone < len(held) and (held[gone].number <= number or held[gone].last_ms < since_ms):
            gone += 1
        held = held[gone:]
        start = held[-1].number if held else number
        stored = self._archive.after(device, start, PIECES_MAX - len(held), since_ms)
        self._pieces[device] = held + [Piece.of(*each) for each in stored]
        return self._pieces[device]
