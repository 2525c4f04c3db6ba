"""Who shakes hands: places in all and for each address; past them the oldest gives way."""

from collections.abc import Callable

Abort = Callable[[], None]


class Handshakes:
    """The TLS handshakes that are on their way at one server."""

    def __init__(
        self, most: int, most_of_address: int, note: Callable[[str], None] = lambda _: None
    ) -> None:
        self._most, self._most_of_address, self._note = most, most_of_address, note
        self._addresses: dict[object, str] = {}
        self._shaking: dict[str, dict[object, Abort]] = {}

    def __len__(self) -> int:
        return len(self._addresses)

    def begin(self, member: object, address: str, abort: Abort) -> None:
        """Take a handshake in, in another's place where a bound is reached.

        - `address`: whom it counts for; empty for one that is bounded in all alone.
        """
        if address and len(self._shaking.get(address, {})) >= self._most_of_address:
            self._cut_oldest(address)
        if len(self) >= self._most:
            self._cut_oldest(max(self._shaking, key=lambda each: len(self._shaking[each])))
        self._addresses[member] = address
        self._shaking.setdefault(address, {})[member] = abort

    def end(self, member: object) -> None:
        """Forget a handshake, whatever became of it; twice is once."""
        address = self._addresses.pop(member, None)
        if address is None:
            return
        del self._shaking[address][member]
        if not self._shaking[address]:
            del self._shaking[address]

    def cut_all(self) -> None:
        """End all of them: the server ends."""
        for address in tuple(self._shaking):
            while address in self._shaking:
                self._cut_oldest(address, "leaving")

    def _cut_oldest(self, address: str, reason: str = "handshake gave way") -> None:
        member, abort = next(iter(self._shaking[address].items()))
        self.end(member)
        self._note(reason)
        abort()
