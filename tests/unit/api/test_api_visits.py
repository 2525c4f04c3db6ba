"""Who comes to a testnet's till: guests and students, at a real service with a real signer."""

import asyncio
from collections import Counter

import msgspec
import pytest

from api.people.demo_file import draw_demo
from ledger.primitives.keys import Seed, SigningKey
from node.errors import BadConfig
from simulator.dairy.customer import Shopper
from simulator.dairy.office import Office, OfficePerson, read_officer
from simulator.dairy.record import DEEDS_FILE, DeedKind, DeedRecord, Ledgerbook
from simulator.dairy.student import Student
from simulator.dairy.till import KioskTill
from simulator.dairy.visits import REFUNDED_EVERY, STUDENT_PACKS, Visits, is_refunded
from simulator.dairy.wallet import Wallet
from tests.support.api.cash import LITRE, check_cash_book
from tests.support.api.loyal_people import check_books, played
from tests.support.system.patience import PATIENCE_S

DEMO = draw_demo("Dairy Union", "Kiosk")
GUEST = Seed(b"\x51" * 32)
PREFIX = "dbill"


def visits_at(rig, http, home, password):
    """Give the visits to the till of a rig's merchant."""
    rig.ledger.fund(SigningKey(GUEST), 100 * LITRE)
    till = KioskTill(http, rig.api.key, "whole-200")
    [officer] = [one for one in DEMO.people if one.login_name == "officer"]
    office = Office(http, OfficePerson(officer.login_name, password or officer.password))

    def student_of(wallet):
        return Student(http, wallet, PREFIX), Shopper(0, till, wallet, PREFIX, http)

    guest = Shopper(0, till, Wallet(GUEST), PREFIX, http)
    return Visits(guest, till, office, Ledgerbook(home), student_of)


def deeds(home):
    """Count what was done, by its kind."""
    path = home / DEEDS_FILE
    lines = path.read_bytes().splitlines() if path.exists() else []
    found = Counter()
    for line in lines:
        deed = msgspec.json.decode(line, type=DeedRecord)
        found[deed.kind] += deed.count
    return found


@pytest.fixture
def at_the_till(database, tmp_path):
    """Play a story of visits, the errands at their side."""
    start = played(database, tmp_path)

    def play(act, password=""):
        async def story(rig, people):
            async with people.browser() as http:
                visits = visits_at(rig, http, tmp_path, password)
                errands = asyncio.create_task(visits.errands.run())
                try:
                    await act(rig, visits)
                finally:
                    errands.cancel()

        start(story, float_units=100 * LITRE, demo=DEMO)

    return play


async def done(home, **wanted):
    """Wait until so much was done."""
    least = Counter({DeedKind(kind): count for kind, count in wanted.items()})
    async with asyncio.timeout(PATIENCE_S):
        while not least <= deeds(home):  # noqa: ASYNC110 - a file has no event
            await asyncio.sleep(0.02)


def test_a_student_tops_up_buys_for_points_and_drinks_the_coupon(at_the_till, tmp_path):
    async def act(rig, visits):
        async with rig.signing():
            assert (await visits.turn()).valid, "a guest buys while the student is let in"
            await done(tmp_path, welcome=1, top_up=1)
            for number in range(1, STUDENT_PACKS + 1):
                assert (await visits.turn()).valid
                assert deeds(tmp_path)[DeedKind.POINT] == number
            await done(tmp_path, coupon=1)
            purchase = await visits.turn()
            assert purchase.valid, "the next guest"
        states = await rig.api.scalar("SELECT string_agg(state, ',') FROM coupons")
        assert states == "redeemed"
        await check_books(rig)
        await check_cash_book(rig)

    at_the_till(act)


def test_a_guest_of_few_is_refunded_though_no_student_is_let_in(at_the_till, tmp_path, capsys):
    async def act(rig, visits):
        async with rig.signing():
            for _ in range(2):
                assert (await visits.turn()).valid
                await rig.api.level()
            await done(tmp_path, refund=1)
        said = await rig.api.scalar("SELECT string_agg(reason || ':' || state, ',') FROM refunds")
        assert said == "not_handed_over:succeeded"

    at_the_till(act, password="an officer's, but wrong")
    assert "letting a student in failed" in capsys.readouterr().err


def test_guests_buy_on_while_no_signer_answers(at_the_till, tmp_path):
    async def act(rig, visits):
        for _ in range(3):
            assert (await visits.turn()).valid
            await rig.api.level()
        assert deeds(tmp_path) == Counter()

    at_the_till(act)


def test_of_so_many_guests_exactly_one_is_refunded():
    refunded = [is_refunded(guest) for guest in range(1, 1 + 10 * REFUNDED_EVERY)]
    assert sum(refunded) == 10


@pytest.mark.parametrize("text", [None, "{", '{"people": []}'])
def test_an_office_without_its_officer_is_named(tmp_path, text):
    path = tmp_path / "demo.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BadConfig, match=r"demo\.json"):
        read_officer(path)
