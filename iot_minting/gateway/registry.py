"""The devices that the chain registered: genesis first, then every final block's registrations.

Pure: the shell feeds it genesis entries and blocks and keeps it in its store. A registration
that failed on the chain (a receipt with a code) does not count.
"""

from collections.abc import Iterable, Iterator, Sequence

from iot_minting.gateway.types import RegisteredDevice
from ledger.primitives.errors import CodecFault
from ledger.primitives.keys import PublicKey
from ledger.types.block import Receipt
from ledger.types.evidence import Instrument
from ledger.types.registry import RegisterDevice
from ledger.types.transaction import decode_transaction


class Registry:
    """Who may send readings. `height` is the last block that it has seen."""

    def __init__(self, devices: Iterable[RegisteredDevice] = (), height: int = 0) -> None:
        self._devices = {device.key: device for device in devices}
        self.height = height

    def __len__(self) -> int:
        return len(self._devices)

    def __iter__(self) -> Iterator[RegisteredDevice]:
        return iter(self._devices.values())

    def find(self, key: PublicKey) -> RegisteredDevice | None:
        """Give a registered device, or None."""
        return self._devices.get(key)

    def admit(self, devices: Iterable[RegisteredDevice], height: int) -> None:
        """Take in what a block registered; a newer registration replaces the older."""
        assert height == self.height + 1, "blocks are followed in order, each once"
        self._devices.update((device.key, device) for device in devices)
        self.height = height


def find_registrations(
    transactions: Sequence[bytes], receipts: Sequence[Receipt]
) -> list[RegisteredDevice]:
    """List the devices that a final block registered."""
    found = (
        _registration(raw)
        for raw, receipt in zip(transactions, receipts, strict=True)
        if not receipt.code
    )
    return [device for device in found if device is not None]


def _registration(raw: bytes) -> RegisteredDevice | None:
    """Read a registration out of a transaction; None for any other, newer kinds included."""
    try:
        body = decode_transaction(raw).intent.body
    except CodecFault:
        return None
    if not isinstance(body, RegisterDevice) or body.kind not in set(Instrument):
        return None
    return RegisteredDevice(
        body.device,
        Instrument(body.kind),
        body.plant,
        body.operator,
    )
