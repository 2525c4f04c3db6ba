"""The cash book, read: by the office for the whole union, by finance of a shop for the shop."""

from typing import Final

from api.access.principals import Person
from api.access.roles import Role
from api.cash_book.model import CashEntry
from api.cash_book.schemas import CashBookQuery, CashEntryView, cash_entry_view
from api.cash_book.store import list_cash_entries
from api.http.pages import Listing
from api.http.routes import ApiCall, Route
from api.people.callers import person_of

LIST: Final = "readCashBook"


def place_seen(person: Person) -> str:
    """Give the one shop whose books a person sees; empty for all of the union."""
    if {Role.UNION_OFFICER, Role.ADMIN} & person.roles.keys():
        return ""
    place = person.roles.get(Role.FINANCE, "")
    return "" if place == person.union_id else place


async def read_cash_book(call: ApiCall) -> Listing[CashEntryView]:
    """List the cash book, newest first."""
    person, query, cursors = person_of(call), call.query, call.service.cursors
    place_id = place_seen(person)
    owner = f"{person.union_id}|{place_id}"
    below = cursors.read(query.cursor, LIST, owner)
    async with call.service.engine.connect() as connection:
        rows = await list_cash_entries(
            connection,
            person.union_id,
            place_id,
            None if below is None else str(below[0]),
            query.limit + 1,
        )
    return cursors.page(rows, query.limit, _place, cash_entry_view, LIST, owner)


def _place(entry: CashEntry) -> tuple[str]:
    return (entry.id,)


ROUTES: Final = (
    Route(
        method="GET",
        path="/api/v1/cash-book",
        operation=LIST,
        summary="List what cash and BILL went through the union's hands, newest first",
        tag="cash",
        handler=read_cash_book,
        query=CashBookQuery,
        answer=Listing[CashEntryView],
    ),
)
