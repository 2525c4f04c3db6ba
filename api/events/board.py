"""What live pages show: the newest orders, the chain's pulse, the lots on the shelf."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from api.amounts import format_time
from api.catalogue.mirror import StockMirror
from api.chain.node_watch import NodeWatch
from api.chain.standing import ChainStanding
from api.chain.tip import SettledTip
from api.orders.schemas import card
from api.orders.store import newest_orders
from ledger.primitives.amounts import Units, format_bill
from node.client.views import LotView

BOARD_ORDERS: Final = 30
BOARD_LOTS: Final = 8


class Board:
    """Draws what pages begin with, and what they show of the chain."""

    def __init__(
        self,
        engine: AsyncEngine,
        watch: NodeWatch,
        tip: SettledTip,
        standing: ChainStanding,
        stock: StockMirror,
    ) -> None:
        self._engine = engine
        self._watch = watch
        self._tip = tip
        self._standing = standing
        self._stock = stock

    async def pulse(self) -> Mapping[str, object]:
        """Give what the live page shows of the chain."""
        status = self._watch.status
        chain: dict[str, object] = {"behind": self._standing.behind() or None}
        if status is not None:
            chain |= {
                "network": status.network,
                "height": status.height,
                "settledHeight": self._tip.cursor.height,
                "finalisedAt": format_time(status.finalized_ms),
                "finalityMs": {"p50": status.finality_p50_ms, "p95": status.finality_p95_ms},
                "peers": status.peers,
                "validators": status.validators,
                "supply": format_bill(status.supply_units),
                "minted": format_bill(status.minted_units),
                "redeemed": format_bill(status.redeemed_units),
                "supplyOk": status.supply_ok,
            }
        lots = sorted(self._stock.lots, key=lambda lot: -lot.height)[:BOARD_LOTS]
        return {**chain, "lots": [lot_json(lot) for lot in lots]}

    async def snapshot(self, merchant_id: str | None = None) -> Mapping[str, object]:
        """Give the whole picture for a page that begins: of all merchants, or of one."""
        async with self._engine.connect() as connection:
            orders = await newest_orders(connection, BOARD_ORDERS, merchant_id)
        return {"chain": await self.pulse(), "orders": [card(order) for order in orders]}


def lot_json(lot: LotView) -> dict[str, object]:
    """Present a lot."""
    return {
        "id": lot.id.hex(),
        "kind": str(lot.kind),
        "plant": lot.plant,
        "height": lot.height,
        "minted": format_bill(Units(lot.minted_units)),
        "remaining": format_bill(Units(lot.remaining_units)),
        "loose": format_bill(Units(lot.loose_units)),
        "packedUnsold": format_bill(Units(lot.packed_unsold_units)),
        "status": lot.status,
        "expiresAt": format_time(lot.expires_ms),
    }
