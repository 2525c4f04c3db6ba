"""What is done to unions and merchants. Each act runs in the caller's transaction.

Where a merchant's money goes is never changed by one person, nor at once: `change_accounts` is what
an approval carries out after its day (`api.approvals`).
"""

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from api.approvals.model import Approval
from api.db.faults import sqlstate_of
from api.errors import Conflict, NotFound, Pointer, Unprocessable
from api.people.means import Means
from api.people.office import UNIQUE_VIOLATED
from api.tenants.model import MerchantProfile, Union
from api.tenants.store import (
    add_merchant,
    add_union,
    change_merchant,
    change_union,
    find_merchant,
    find_union,
)
from api.tenants.zones import is_time_zone
from ledger.primitives.errors import BadAddress
from ledger.primitives.keys import Address, parse_address


class TenantDesk:
    """Begins and corrects unions and merchants."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def begin_union(self, connection: AsyncConnection, union: Union) -> Union:
        """Write a new union; raise `Conflict` if another one bears its name."""
        try:
            async with connection.begin_nested():
                await add_union(connection, union, self._means.now_ms())
        except IntegrityError as fault:
            raise _told(fault, "union") from None
        return union

    async def correct_union(
        self, connection: AsyncConnection, union_id: str, changes: dict[str, str]
    ) -> Union:
        """Write some of a union's members anew."""
        if changes:
            try:
                async with connection.begin_nested():
                    await change_union(connection, union_id, changes)
            except IntegrityError as fault:
                raise _told(fault, "union") from None
        return await self.union(connection, union_id)

    async def union(self, connection: AsyncConnection, union_id: str) -> Union:
        """Read a union; raise `NotFound`."""
        union = await find_union(connection, union_id)
        if union is None:
            raise NotFound("there is no such union")
        return union

    async def begin_merchant(
        self,
        connection: AsyncConnection,
        union_id: str,
        name: str,
        payout: Address,
        operating: Address | None,
        time_zone: str,
    ) -> MerchantProfile:
        """Write a new merchant; raise `Conflict` if another one bears its name."""
        check_time_zone(time_zone)
        await self.union(connection, union_id)
        merchant = MerchantProfile(
            id=str(ULID()),
            union_id=union_id,
            name=name,
            payout=payout,
            operating=operating,
            time_zone=time_zone,
            created_ms=self._means.now_ms(),
        )
        try:
            async with connection.begin_nested():
                await add_merchant(connection, merchant)
        except IntegrityError as fault:
            raise _told(fault, "merchant") from None
        return merchant

    async def correct_merchant(
        self, connection: AsyncConnection, merchant_id: str, changes: dict[str, object]
    ) -> MerchantProfile:
        """Write a merchant's name or time zone anew."""
        if "time_zone" in changes:
            check_time_zone(str(changes["time_zone"]))
        if changes:
            try:
                async with connection.begin_nested():
                    await change_merchant(connection, merchant_id, changes)
            except IntegrityError as fault:
                raise _told(fault, "merchant") from None
        return await self.merchant(connection, merchant_id)

    async def change_accounts(self, connection: AsyncConnection, approval: Approval) -> None:
        """Write the accounts that two people have agreed to, and that have waited for a day."""
        await self.merchant(connection, approval.subject_id)
        accounts: dict[str, object] = {
            name: bytes.fromhex(text) for name, text in approval.wish.items()
        }
        await change_merchant(connection, approval.subject_id, accounts)

    async def merchant(self, connection: AsyncConnection, merchant_id: str) -> MerchantProfile:
        """Read a merchant; raise `NotFound`."""
        merchant = await find_merchant(connection, merchant_id)
        if merchant is None:
            raise NotFound("there is no such merchant")
        return merchant

    def address(self, text: str, pointer: str) -> Address:
        """Read an address of this network; raise `Unprocessable`."""
        try:
            return parse_address(text, self._means.prefix)
        except BadAddress as fault:
            told = (Pointer(pointer, "NOT_AN_ADDRESS"),)
            raise Unprocessable(str(fault), code="BAD_ADDRESS", errors=told) from None


def check_time_zone(name: str) -> None:
    """Raise `Unprocessable` for a time zone that is not known here; the usual one always is."""
    if not is_time_zone(name):
        told = (Pointer("/timeZone", "UNKNOWN_TIME_ZONE"),)
        raise Unprocessable("this time zone is not known", code="REFUSED", errors=told)


def _told(fault: IntegrityError, what: str) -> Exception:
    if sqlstate_of(fault) != UNIQUE_VIOLATED:
        return fault
    return Conflict(f"there is a {what} of this name", code="ALREADY_KNOWN")
