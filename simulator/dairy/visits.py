"""Who buys next, and how often the service is asked for more than a purchase.

Guests have money from the genesis. Between them come students: each is invited by the office, gets
the first fees and, for cash, BILL for a few packs; buys them, and drinks the last one for the
points. A refund, a top-up or a coupon wants the signer and takes its time, so each is an errand of
its own: nobody at the till waits, and a signer that is away keeps nobody from buying.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from simulator.dairy.asking import FAULTS, StepRefused, log
from simulator.dairy.customer import OUT_OF_STOCK, Shopper
from simulator.dairy.office import Office
from simulator.dairy.record import DeedKind, Ledgerbook, PurchaseRecord
from simulator.dairy.student import Student
from simulator.dairy.till import KioskTill
from simulator.dairy.wallet import StrangeChallenge, Wallet

STUDENT_EVERY: Final = 20
"""So many guests buy between two students; the first student comes at once."""
STUDENT_PACKS: Final = 5
"""What a student buys: the points of one coupon."""
TOP_UP_MYR: Final = "10.00"
"""The cash that a student brings: enough for these packs at RM 1.80."""
REFUNDED_EVERY: Final = 6
"""Of so many guests one gets no milk, and the money back."""
ERRANDS_MAX: Final = 8
"""So many errands may wait; one more is not done at all."""
ERRAND_S_MAX: Final = 60.0
"""Nobody waits longer for an errand: a signer may be away."""


def is_refunded(guest: int) -> bool:
    """Say whether the guest of a number gets the money back; the second does, so one sees it."""
    return guest % REFUNDED_EVERY == 2


class Errands:
    """What takes its time is done here, one after another; one that fails is told of."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[tuple[str, Callable[[], Awaitable[None]]]] = asyncio.Queue(
            ERRANDS_MAX
        )

    def begin(self, what: str, errand: Callable[[], Awaitable[None]]) -> None:
        """Have something done, unless too much waits already."""
        if not self._waiting.full():
            self._waiting.put_nowait((what, errand))

    async def run(self) -> None:
        """Do what comes, until cancelled."""
        while True:
            what, errand = await self._waiting.get()
            try:
                async with asyncio.timeout(ERRAND_S_MAX):
                    await errand()
            except (StepRefused, StrangeChallenge, TimeoutError, *FAULTS) as fault:
                log("warning", f"{what} failed", fault=repr(fault))


class Visits:
    """One till's customers, one after another. `student_of` gives a wallet's owner and shopper."""

    def __init__(
        self,
        guest: Shopper,
        till: KioskTill,
        office: Office,
        book: Ledgerbook,
        student_of: Callable[[Wallet], tuple[Student, Shopper]],
    ) -> None:
        self._guest, self._till, self._office, self._book = guest, till, office, book
        self._student_of = student_of
        self.errands = Errands()
        self._guests = 0
        self._since_student = STUDENT_EVERY
        self._inside: tuple[Student, Shopper] | None = None
        self._bought = 0

    async def turn(self) -> PurchaseRecord:
        """Let the next customer buy."""
        if self._since_student >= STUDENT_EVERY:
            self._since_student = 0
            self.errands.begin("letting a student in", self._let_in)
        if self._inside is not None:
            return await self._serve_student(*self._inside)
        return await self._serve_guest()

    async def _serve_guest(self) -> PurchaseRecord:
        purchase = await self._guest.buy()
        # Counted once it is done: whoever found an empty shelf comes again.
        self._guests += 1
        self._since_student += 1
        if purchase.valid and is_refunded(self._guests):
            self.errands.begin("a refund", lambda: self._refund(purchase.order_id))
        return purchase

    async def _serve_student(self, student: Student, shopper: Shopper) -> PurchaseRecord:
        try:
            purchase = await shopper.buy()
        except StepRefused as refused:
            if refused.code != OUT_OF_STOCK:
                self._inside = None  # Whatever is wrong with this one, the next is another.
            raise
        self._bought += 1
        if points := await student.new_points():
            self._book.record_deed(DeedKind.POINT, _last(student.address), points)
        code = await student.coupon()
        if code is not None or self._bought >= STUDENT_PACKS:
            self._inside = None
        if code is not None:
            self.errands.begin("a coupon", lambda: self._redeem(code))
        return purchase

    async def _let_in(self) -> None:
        student, shopper = self._student_of(Wallet.draw())
        await student.enter(await self._office.invite("Student"))
        await student.welcomed()
        self._book.record_deed(DeedKind.WELCOME, f"fees {_last(student.address)}")
        await self._office.top_up(student.address, TOP_UP_MYR)
        self._book.record_deed(DeedKind.TOP_UP, f"RM {TOP_UP_MYR} {_last(student.address)}")
        self._inside, self._bought = (student, shopper), 0

    async def _refund(self, order_id: str) -> None:
        await self._till.refund(order_id)
        self._book.record_deed(DeedKind.REFUND, f"order {_last(order_id)}")

    async def _redeem(self, code: str) -> None:
        order_id = await self._till.redeem(code)
        self._book.record_deed(DeedKind.COUPON, f"order {_last(order_id)}")


def _last(text: str) -> str:
    """Write the end of an id, which is what tells it from others."""
    return f"…{text[-6:]}"
