"""Receipting: after the commit, who is told how far a device's chain is stored.

The gateway that holds the device's plant gives receipts, and no further than there are copies.
Every gateway tells the others of its own.
"""

from collections.abc import Callable, Set
from typing import Protocol

from iot_minting.gateway.duty import Duty
from iot_minting.wire.receipts import COUNT_MAX, NOTHING_SETTLED, SettledEnvelope, sign_receipt
from iot_minting.wire.topics import receipt_topic
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import PublicKey, SigningKey

Publish = Callable[[str, bytes], None]
"""Keeps a message at the broker, under a topic."""


class SettledChains(Protocol):
    """What knows how far each device's boots are settled."""

    def settled(
        self, device: PublicKey, boot: int, seq_max: int = COUNT_MAX
    ) -> SettledEnvelope | None:
        """Give the last of a boot, up to a number, up to which all is settled; None if nothing."""
        ...

    def newest(self, device: PublicKey) -> int | None:
        """Give the highest boot of a device that settled something."""
        ...

    def plant(self, device: PublicKey) -> str:
        """Name a device's plant."""
        ...


class Receipts:
    """One gateway's word to devices, and to other gateways."""

    def __init__(
        self, chain_id: Hash, key: SigningKey, known: SettledChains, publish: Publish, duty: Duty
    ) -> None:
        self._chain_id, self._key = chain_id, key
        self._known, self._publish, self._duty = known, publish, duty

    def tell(self, touched: Set[tuple[PublicKey, int]], elsewhere: Set[PublicKey]) -> None:
        """Tell of boots that moved, and of devices that go on from elsewhere than what is settled.

        The newest boot comes last: the broker retains the last, and whoever counts below it learns.
        """
        copied = self._duty.take_fresh()
        for device in sorted(elsewhere):
            if self._known.newest(device) is None:
                self._tell_nothing(device)
        moved = self._with_newest(touched, elsewhere)
        for device, boot in moved:
            self._tell_copy(device, boot)
        for device, boot in self._with_newest(touched | copied, elsewhere):
            self._tell_device(device, boot)

    def _with_newest(
        self, boots: Set[tuple[PublicKey, int]], devices: Set[PublicKey]
    ) -> list[tuple[PublicKey, int]]:
        found = {device: self._known.newest(device) for device, _ in boots}
        found |= {device: self._known.newest(device) for device in devices}
        newest = {(device, boot) for device, boot in found.items() if boot is not None}
        return sorted(boots | newest)

    def _tell_copy(self, device: PublicKey, boot: int) -> None:
        settled = self._known.settled(device, boot)
        if settled is not None:
            self._duty.tell_copy(self._known.plant(device), device, settled)

    def _tell_device(self, device: PublicKey, boot: int) -> None:
        if not self._duty.holds(self._known.plant(device)):
            return
        settled = self._known.settled(device, boot, self._duty.reach(device, boot))
        if settled is not None:
            self._send(device, settled)

    def _tell_nothing(self, device: PublicKey) -> None:
        """Say that nothing is stored, unless another gateway has what this one lacks."""
        if self._duty.holds(self._known.plant(device)) and not self._duty.is_elsewhere(device):
            self._send(device, NOTHING_SETTLED)

    def _send(self, device: PublicKey, settled: SettledEnvelope) -> None:
        receipt = sign_receipt(self._chain_id, self._key, device, settled)
        self._publish(receipt_topic(device), encode(receipt))
