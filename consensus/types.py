"""Plain data of consensus: a block as it sees it. Committee and scalars are `ledger.primitives`."""

from typing import Final

from msgspec import Struct

from ledger.primitives.hashing import Hash
from ledger.primitives.scalars import View

GENESIS_VIEW: Final = View(0)


class BlockRef(Struct, frozen=True, gc=False):
    """A block as consensus knows it: its view and its hash.

    A `Struct` though it never travels: it is made and looked up by many rules on every event.
    """

    view: View
    hash: Hash
