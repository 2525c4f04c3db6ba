"""Flags in the database: raised once while they stand, and decided by compare-and-set."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from api.db.statements import text
from api.flags.model import Detector, Flag, FlagState, Suspicion

_evidence: Final = msgspec.json.Decoder(tuple[str, ...])
_COLUMNS: Final = """id, union_id, merchant_id, detector, subject, state, score,
    evidence::text AS evidence, explanation_en, explanation_ms, raised_ms, last_ms, decided_by,
    reason, decided_ms"""


@dataclass(frozen=True, slots=True)
class Raised:
    """A flag after a finding: `fresh` if it is a new one, `due` if it is to be told."""

    flag_id: str
    fresh: bool
    due: bool


def _read(row: Any) -> Flag:
    return Flag(
        id=row.id,
        union_id=row.union_id,
        merchant_id=row.merchant_id,
        detector=Detector(row.detector),
        subject=row.subject,
        state=FlagState(row.state),
        score=row.score,
        evidence=_evidence.decode(row.evidence),
        explanation_en=row.explanation_en,
        explanation_ms=row.explanation_ms,
        raised_ms=row.raised_ms,
        last_ms=row.last_ms,
        decided_by=row.decided_by,
        reason=row.reason,
        decided_ms=row.decided_ms,
    )


_RAISE: Final = """
    INSERT INTO flags AS f (union_id, id, merchant_id, detector, subject, state, score,
        evidence, explanation_en, explanation_ms, raised_ms, last_ms, noticed_ms)
    VALUES (:union, :id, :merchant, :detector, :subject, 'open', :score,
        CAST(:evidence AS jsonb), :en, :ms, :now, :now, :now)
    ON CONFLICT (union_id, merchant_id, detector, subject) WHERE state <> 'released'
    DO UPDATE SET score = EXCLUDED.score, evidence = EXCLUDED.evidence,
        explanation_en = EXCLUDED.explanation_en,
        explanation_ms = EXCLUDED.explanation_ms, last_ms = EXCLUDED.last_ms,
        noticed_ms = CASE WHEN f.noticed_ms + :every <= EXCLUDED.noticed_ms
            THEN EXCLUDED.noticed_ms ELSE f.noticed_ms END
    WHERE f.evidence <> EXCLUDED.evidence OR f.score < EXCLUDED.score
    RETURNING id, raised_ms, noticed_ms, (xmax = 0) AS fresh
"""


async def raise_flag(
    connection: AsyncConnection,
    union_id: str,
    flag_id: str,
    finding: Suspicion,
    now_ms: int,
    notice_every_ms: int,
) -> Raised | None:
    """Raise a flag, or write what is new into the one that stands; None if nothing is new."""
    row = (
        await connection.execute(
            text(_RAISE),
            {
                "union": union_id,
                "id": flag_id,
                "merchant": finding.merchant_id,
                "detector": str(finding.detector),
                "subject": finding.subject,
                "score": min(finding.score, 2**31 - 1),
                "evidence": msgspec.json.encode(finding.evidence).decode(),
                "en": finding.explanation_en,
                "ms": finding.explanation_ms,
                "now": now_ms,
                "every": notice_every_ms,
            },
        )
    ).first()
    if row is None:
        return None
    return Raised(row.id, fresh=row.fresh, due=row.noticed_ms == now_ms)


async def find_flag(
    connection: AsyncConnection, union_id: str, flag_id: str, *, lock: bool = False
) -> Flag | None:
    """Read a flag."""
    how = "FOR NO KEY UPDATE" if lock else ""
    row = (
        await connection.execute(
            text(f"""
                SELECT {_COLUMNS} FROM flags WHERE union_id = :union AND id = :id {how}
            """),  # noqa: S608 - constants of this module
            {"union": union_id, "id": flag_id},
        )
    ).first()
    return None if row is None else _read(row)


async def list_flags(
    connection: AsyncConnection,
    union_id: str,
    merchant_id: str,
    before: str | None,
    limit: int,
    state: str | None,
    detector: str | None,
) -> list[Flag]:
    """List a union's flags, or those of one merchant, below an id, newest first."""
    rows = await connection.execute(
        text(f"""
            SELECT {_COLUMNS} FROM flags
            WHERE union_id = :union AND id < coalesce(CAST(:before AS text), 'Z')
                AND (:merchant = '' OR merchant_id = :merchant)
                AND state = coalesce(CAST(:state AS text), state)
                AND detector = coalesce(CAST(:detector AS text), detector)
            ORDER BY id DESC LIMIT :limit
        """),  # noqa: S608 - constants of this module
        {
            "union": union_id,
            "merchant": merchant_id,
            "before": before,
            "state": state,
            "detector": detector,
            "limit": limit,
        },
    )
    return [_read(row) for row in rows]


async def store_decision(connection: AsyncConnection, before: Flag, after: Flag) -> None:
    """Write a decision back, from the state in which the flag was read."""
    done = await connection.execute(
        text("""
            UPDATE flags SET state = :state, decided_by = :by, reason = :reason, decided_ms = :at
            WHERE union_id = :union AND id = :id AND state = :before
        """),
        {
            "union": before.union_id,
            "id": before.id,
            "before": str(before.state),
            "state": str(after.state),
            "by": after.decided_by,
            "reason": after.reason,
            "at": after.decided_ms,
        },
    )
    assert done.rowcount == 1, "flags are locked by who decides them"


async def released_since(
    connection: AsyncConnection, detectors: Sequence[Detector], since_ms: int
) -> dict[tuple[Detector, str, str], int]:
    """Tell until when what happened was looked at and released, by detector, place and subject.

    A place is a shop, or the union itself.
    """
    rows = await connection.execute(
        text("""
            SELECT detector, coalesce(nullif(merchant_id, ''), union_id) AS place, subject,
                max(decided_ms) AS until_ms
            FROM flags
            WHERE state = 'released' AND decided_ms >= :since
                AND detector = ANY(CAST(:detectors AS text[]))
            GROUP BY 1, 2, 3
        """),
        {"since": since_ms, "detectors": [str(one) for one in detectors]},
    )
    return {(Detector(row.detector), row.place, row.subject): row.until_ms for row in rows}


async def forget_flags(connection: AsyncConnection, before_ms: int) -> None:
    """Drop flags that were released long ago."""
    await connection.execute(
        text("DELETE FROM flags WHERE state = 'released' AND decided_ms < :before"),
        {"before": before_ms},
    )
