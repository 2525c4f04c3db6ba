"""Replayed history: it records everything and plays it back, to anyone, at any time."""

from collections.abc import Iterable
from typing import ClassVar

from consensus.messages import Message
from ledger.primitives.committee import Member
from simulator.virtual.byzantine.mask import Mask, Said

REMEMBERED_MAX = 400
REPLAYED_A_BEAT = 4


class ReplayedHistory(Mask):
    """Sends old messages again: its own and, as if it were they, those of others."""

    beat_ms: ClassVar[int] = 120

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]  # Passed on as they came.
        self._history: list[Message] = []

    def says(self, to: Member | None, message: Message) -> Iterable[Said]:
        """Remember what is said."""
        self._remember(message)
        return [(to, message)]

    def hears(self, sender: Member, message: Message) -> bool:
        """Remember what is heard."""
        self._remember(message)
        return True

    def _remember(self, message: Message) -> None:
        if len(self._history) >= REMEMBERED_MAX:
            self._history[self.chance.randrange(REMEMBERED_MAX)] = message
        else:
            self._history.append(message)

    def beats(self) -> None:
        """Play something back."""
        for _ in range(REPLAYED_A_BEAT if self._history else 0):
            self.say(self.chance.choice(self.others), self.chance.choice(self._history))
