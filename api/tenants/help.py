"""Whom a refusal names: the office of the union that it concerns, or of the only one there is."""

from time import monotonic
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from api.db.faults import DATABASE_FAULTS
from api.tenants.model import Union
from api.tenants.store import find_merchant, find_union, list_unions

REMEMBERED_S: Final = 60.0
REMEMBERED_MAX: Final = 1_000


class HelpDesk:
    """Looks contacts up, and remembers them for a minute: refusals may come in floods."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._reader = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._remembered: dict[str, tuple[float, Union | None]] = {}

    async def union_of(self, union_id: str, merchant_id: str = "") -> Union | None:
        """Give a union to turn to, by its id or a merchant's; without either the only one there is.

        Whatever fails here must not stand in the way of the refusal itself: it gives None.
        """
        name = union_id or merchant_id
        found, now_s = self._remembered.get(name), monotonic()
        if found is not None and found[0] > now_s:
            return found[1]
        try:
            union = await self._look(union_id, merchant_id)
        except DATABASE_FAULTS:
            return None
        if len(self._remembered) >= REMEMBERED_MAX:
            self._remembered.clear()
        self._remembered[name] = (now_s + REMEMBERED_S, union)
        return union

    async def _look(self, union_id: str, merchant_id: str) -> Union | None:
        async with self._reader.connect() as connection:
            if merchant_id and not union_id:
                merchant = await find_merchant(connection, merchant_id)
                union_id = "" if merchant is None else merchant.union_id
            if union_id:
                return await find_union(connection, union_id)
            several = await list_unions(connection, "", 2)
        return several[0] if len(several) == 1 else None
