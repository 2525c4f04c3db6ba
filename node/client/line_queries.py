"""Rows of `node.client.queries` that ask for lines, devices and permits."""

from http import HTTPStatus
from typing import Final

from ledger.primitives.hashing import ZERO_HASH
from node.client.line_views import (
    DeviceView,
    LineSummary,
    LineView,
    MilkTankView,
    PermitView,
    ProvenView,
)
from node.client.parameters import AddressText, Id, Parameter, Whole
from node.client.query import Query
from node.client.requests import (
    LINES_MAX,
    PORTIONS_SHOWN_MAX,
    GetDevice,
    GetLine,
    GetLines,
    GetMilkTank,
    GetPermits,
    GetProven,
)

LINES_PAGE: Final = 100
PORTIONS_PAGE: Final = 1_000

_LIMIT: Final = Parameter("limit", Whole(1, LINES_MAX), (LINES_PAGE,))

LINE: Final = Query(
    name="line",
    request=GetLine,
    answer=LineView,
    path="/v1/lines/{line}",
    summary="Show a line with its devices, their tips and the parameters: what judges a window.",
    parameters=(Parameter("line", Id()),),
    faults=((HTTPStatus.NOT_FOUND, "unknown_line"),),
)
LINES: Final = Query(
    name="lines",
    request=GetLines,
    answer=list[LineSummary],
    path="/v1/lines",
    summary="List the lines by ascending id, after an id.",
    parameters=(Parameter("after", Id(), (ZERO_HASH,)), _LIMIT),
    under="lines",
)
DEVICE: Final = Query(
    name="device",
    request=GetDevice,
    answer=DeviceView,
    path="/v1/devices/{device}",
    summary="Show a device: when it counts, what it watches, how far its envelopes are used.",
    parameters=(Parameter("device", Id()),),
    faults=((HTTPStatus.NOT_FOUND, "device_unregistered"),),
)
PERMITS: Final = Query(
    name="permits",
    request=GetPermits,
    answer=list[PermitView],
    path="/v1/accounts/{address}/permits",
    summary="List a farm's permits by ascending meter, that for all meters first.",
    parameters=(Parameter("address", AddressText()), _LIMIT),
    under="permits",
)
PROVEN: Final = Query(
    name="proven",
    request=GetProven,
    answer=ProvenView,
    path="/v1/lots/{lot}/proven",
    summary="Show what proved a lot: its window, its attestors, and until when it may be doubted.",
    parameters=(Parameter("lot", Id()),),
    faults=((HTTPStatus.NOT_FOUND, "unproven_lot"),),
)

MILK_TANK: Final = Query(
    name="milk_tank",
    request=GetMilkTank,
    answer=MilkTankView,
    path="/v1/milk_tanks/{tank}",
    summary="Show a tank of raw milk, and what each meter brought of what it holds.",
    parameters=(
        Parameter("tank", Id()),
        Parameter("limit", Whole(1, PORTIONS_SHOWN_MAX), (PORTIONS_PAGE,)),
    ),
    faults=((HTTPStatus.NOT_FOUND, "unknown_tank"),),
)

LINE_QUERIES: Final = (LINE, LINES, DEVICE, PERMITS, MILK_TANK, PROVEN)
