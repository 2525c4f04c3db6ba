"""How well the service was there, for everyone: partners hold us to it."""

from typing import Final

from api.amounts import format_time
from api.http.routes import ApiCall, Route
from api.status.rules import availability_of
from api.status.schemas import OutageView, StatusView

OUTAGES_MAX: Final = 100


async def read_status(call: ApiCall) -> StatusView:
    """Tell how the service is, and how it was."""
    service = call.service
    readiness = await service.report.readiness()
    record = await service.lookout.status.record()
    return StatusView(
        status="not_ready" if readiness.reason else "ready",
        parts={part: not why for part, why in readiness.parts.items()},
        observed_since=None if record.since_ms is None else format_time(record.since_ms),
        observed_minutes=record.minutes,
        good_minutes=record.good,
        availability=availability_of(record.minutes, record.good),
        outages=[
            OutageView(
                begins_at=format_time(one.from_ms), ends_at=format_time(one.to_ms), part=one.part
            )
            for one in record.outages[:OUTAGES_MAX]
        ],
        more_outages=len(record.outages) > OUTAGES_MAX,
    )


ROUTES: Final = (
    Route(
        method="GET",
        path="/api/v1/status",
        operation="readStatus",
        summary="Tell how the service is, and how well it was there in the last 30 days",
        tag="operations",
        handler=read_status,
        answer=StatusView,
    ),
)
