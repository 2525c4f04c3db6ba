"""What can be wrong with a dairy's input.

DairyFault
+-- BadRecording      a file that can't be played: where, and how to mend it
+-- BadMap            a --map that does not say what it must
+-- NotRegistered     meters that the chain does not know and that can't be registered here
+-- NoMinter          a chain on which nobody mints
+-- NotCarriedOut     a transaction of a registration that took no effect
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.dairy.setup import DeviceIdentity


class DairyFault(Exception):
    """A fault of the user's input."""


class BadRecording(DairyFault):
    """A file that can't be played."""


class BadMap(DairyFault):
    """A mapping of columns that can't be used."""


class NoMinter(DairyFault):
    """A chain on which nobody mints."""


class NotCarriedOut(DairyFault):
    """A transaction of a registration that took no effect."""


class NotRegistered(DairyFault):
    """Meters that must be registered first."""

    def __init__(self, why: str, devices: "Sequence[DeviceIdentity]") -> None:
        names = "\n".join(f"  {d.key.hex()} {d.kind.value} plant {d.plant}" for d in devices)
        super().__init__(
            f"the meters can't be registered: {why}.\nOn a development network, let "
            f"regulator_key_file in config.toml name the regulator's key; elsewhere, ask the "
            f"regulator to register:\n{names}"
        )
