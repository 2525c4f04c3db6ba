"""Stand-ins for three libraries that py-libp2p imports and nothing here uses.

coincurve and fastecdsa serve curves on which no validator has a key (all connect with Ed25519), and
miniupnpc opens a router's ports. They lack wheels for some Pythons and machines, so the lock leaves
them out (docs/adr/0004). A stand-in can be imported and named, as annotations do; to call anything
of it is a `ValueError`, which is what libp2p meets for a key that is no point of its curve: a peer
that shows such a key fails its own handshake and nothing else.
"""

import sys
from types import ModuleType
from typing import Final, NoReturn

ABSENT: Final = (
    "coincurve",
    "fastecdsa",
    "fastecdsa.encoding",
    "fastecdsa.encoding.sec1",
    "miniupnpc",
)


class Absent(ModuleType):
    """A module, or anything in it, that is not here. Names lead on; calls do not."""

    def __getattr__(self, name: str) -> "Absent":
        """Stand in for whatever the module would hold; Python's own questions get a plain no."""
        if name.startswith("__"):
            raise AttributeError(name)
        return Absent(f"{self.__name__}.{name}")

    def __call__(self, *_: object, **__: object) -> NoReturn:
        """Refuse."""
        raise ValueError(f"{self.__name__} is not served here: peers connect with Ed25519 keys")


def stand_in() -> None:
    """Put the stand-ins where an import finds them. Idempotent; before libp2p is imported."""
    for name in ABSENT:
        sys.modules.setdefault(name, Absent(name))
