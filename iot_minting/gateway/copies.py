"""Copies: how far the MMU's other gateways said that they stored devices' chains. Pure.

Words are counted by number: what one of them holds otherwise under a number came of two devices
with one key, or of one that went back to a backup, and both begin a chain above (spec §2.3).
"""

from collections import defaultdict
from typing import Final

from iot_minting.wire.receipts import COUNT_MAX
from ledger.primitives.keys import PublicKey

BOOTS_MAX: Final = 4
"""Boots of a device that are remembered for each gateway: the newest."""
NO_COPY: Final = -1


class Copies:
    """What others said. `needed` of them must have an envelope before it is receipted."""

    def __init__(self, needed: int) -> None:
        self._needed = needed
        self._said: dict[PublicKey, dict[PublicKey, dict[int, int]]] = defaultdict(dict)

    def hear(self, gateway: PublicKey, device: PublicKey, boot: int, seq: int) -> None:
        """Take in that a gateway stored a device's boot up to a number."""
        boots = self._said[device].setdefault(gateway, {})
        boots[boot] = max(seq, boots.get(boot, NO_COPY))
        if len(boots) > BOOTS_MAX:
            del boots[min(boots)]

    def reach(self, device: PublicKey, boot: int) -> int:
        """Give the number up to which enough others stored a boot; `NO_COPY` if none.

        Without need of copies that is above every number.
        """
        if not self._needed:
            return COUNT_MAX
        others = self._said.get(device, {}).values()
        said = sorted((boots.get(boot, NO_COPY) for boots in others), reverse=True)
        return said[self._needed - 1] if len(said) >= self._needed else NO_COPY

    def devices(self) -> list[PublicKey]:
        """List the devices of which others stored something."""
        return list(self._said)

    def ends(self, device: PublicKey) -> dict[PublicKey, tuple[int, int]]:
        """Give how far each of the others said that it stored a device's chain."""
        return {key: max(boots.items()) for key, boots in self._said.get(device, {}).items()}

    def has(self, device: PublicKey) -> bool:
        """Tell whether any other gateway stored something of a device."""
        return device in self._said
