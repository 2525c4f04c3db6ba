"""Asking others for what is missing, with patience (spec §1.8).

What is wanted is worked out anew from the state after every event, so nothing is asked for longer
than it is needed. The fetcher only keeps the attempts: each goes to the next member in turn, each
wait is half as long again as the one before.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from consensus.messages import FetchCertificates, FetchProposal
from consensus.params import Params
from consensus.types import Member

SPOILT_MAX: Final = 8
"""Worthless answers remembered."""

Request = FetchProposal | FetchCertificates


@dataclass(frozen=True, slots=True)
class Want:
    """Whom to ask first, and how long to wait before: it may be on its way already."""

    source: Member | None
    delay_ms: int = 0


@dataclass(slots=True)
class _Attempt:
    due_ms: int
    wait_ms: int
    tries: int = 0
    turn: Member | None = None
    asked: set[Member] = field(default_factory=set)


@dataclass(slots=True)
class Fetcher:
    """The requests that are open, and when each is asked again."""

    params: Params
    me: Member | None
    size: int
    _open: dict[Request, _Attempt] = field(default_factory=dict)
    _spoilt: dict[Request, Member] = field(default_factory=dict)

    def update(self, wanted: Mapping[Request, Want], now_ms: int) -> list[tuple[Member, Request]]:
        """Replace what is wanted; give the requests that are due, each with whom to ask."""
        for gone in [request for request in self._open if request not in wanted]:
            del self._open[gone]
        due = []
        for request, want in wanted.items():
            attempt = self._open.get(request)
            if attempt is None:
                attempt = self._open[request] = self._begin(request, want, now_ms)
            if attempt.due_ms <= now_ms and (target := self._next(attempt, want)) is not None:
                due.append((target, request))
                attempt.tries += 1
                attempt.asked.add(target)
                attempt.due_ms = now_ms + attempt.wait_ms
                attempt.wait_ms = min(attempt.wait_ms * 3 // 2, self.params.fetch_max_ms)
        return due

    def _begin(self, request: Request, want: Want, now_ms: int) -> _Attempt:
        """Start afresh, or behind the member whose answer was worthless."""
        if request in self._spoilt:
            wait_ms = self.params.fetch_ms
            return _Attempt(now_ms + wait_ms, wait_ms, turn=self._spoilt[request])
        return _Attempt(now_ms + want.delay_ms, self.params.fetch_ms)

    def spoil(self, request: Request, source: Member) -> None:
        """Note a worthless answer, so that the next attempt begins with the next member."""
        self._spoilt.pop(request, None)
        self._spoilt[request] = source
        if len(self._spoilt) > SPOILT_MAX:
            del self._spoilt[next(iter(self._spoilt))]

    def _next(self, attempt: _Attempt, want: Want) -> Member | None:
        """Ask the source first, then around the table."""
        if attempt.turn is None:
            start = want.source if want.source is not None else Member(0)
        else:
            start = Member((attempt.turn + 1) % self.size)
        if start == self.me:
            start = Member((start + 1) % self.size)
        attempt.turn = start
        return None if start == self.me else start

    def wants(self, request: Request) -> bool:
        """Tell whether the request is open: something is known to lack it."""
        return request in self._open

    def has_asked(self, request: Request, member: Member) -> bool:
        """Tell whether an answer from this member was asked for."""
        return request in self._open and member in self._open[request].asked

    def tries(self, request: Request) -> int:
        """Count how often it was asked."""
        return self._open[request].tries if request in self._open else 0

    def due_ms(self) -> int | None:
        """Give the time of the next attempt."""
        if not self._open:
            return None
        return min([attempt.due_ms for attempt in self._open.values()])
