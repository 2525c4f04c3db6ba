"""Settlement over a real database: any order and repetition of blocks settles each payment once."""

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from api.services.settlement import Observed, settle
from ledger.primitives.keys import address_of
from tests.support.api_bench import running_bench
from tests.support.fake_node import MERCHANT, OTHER_MERCHANT
from tests.support.postgres import TestDatabase, running_database

ORDERS = 3
LATE_MS = 2**45


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDatabase]:
    with running_database(tmp_path_factory.mktemp("postgres")) as server:
        yield server


PAYMENTS = st.lists(
    st.tuples(
        st.integers(0, 7),  # which transaction
        st.integers(0, ORDERS),  # which order; the last number is an unknown reference
        st.sampled_from([-1, 0, 0, 0, 1]),  # how much too much
        st.sampled_from(["", "", "", "short_lot"]),
        st.booleans(),  # late
        st.booleans(),  # to the right purse
    ),
    max_size=10,
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PAYMENTS, st.lists(st.integers(1, 4), min_size=1, max_size=6))
def test_each_transaction_pays_at_most_one_order_and_each_order_is_paid_at_most_once(
    database: TestDatabase, payments: list[tuple[int, int, int, str, bool, bool]], cuts: list[int]
) -> None:
    async def run() -> None:
        async with running_bench(database) as bench:
            orders = [await bench.order() for _ in range(ORDERS)]
            references = [bytes.fromhex(str(o["reference"])) for o in orders] + [b"?" * 32]
            now_ms = bench.service.now_ms()
            observed, bound = [], {}
            for tx, order, more, code, late, mine in payments:
                order = bound.setdefault(tx, order)  # A transaction bears one reference for ever.
                observed.append(
                    Observed(
                        tx_hash=bytes([tx]) * 32,
                        reference=references[order],
                        to=address_of((MERCHANT if mine else OTHER_MERCHANT).public),
                        payer=b"p" * 32,
                        units=500_000 + more,
                        redeem_units=200_000,
                        height=1,
                        block_hash=b"b" * 32,
                        time_ms=LATE_MS if late else now_ms,
                        code=code,
                    )
                )
            batches, rest = [], observed + observed[::-1]  # Everything comes twice.
            for cut in cuts:
                batches.append(rest[:cut])
                rest = rest[cut:]
            for batch in [*batches, rest]:
                async with bench.service.engine.begin() as connection:
                    await settle(connection, batch, now_ms)
            async with bench.service.engine.connect() as connection:
                paid = (
                    await connection.execute(
                        text("SELECT order_id, outcome FROM payments WHERE outcome = 'succeeded'")
                    )
                ).all()
                states = dict(
                    (await connection.execute(text("SELECT id, state FROM orders"))).all()
                )
                told = await connection.scalar(
                    text("SELECT count(*) FROM events WHERE kind = 'order.paid'")
                )
                reserved = await connection.scalar(text("SELECT reserved_units FROM lots"))
                rows = await connection.scalar(text("SELECT count(*) FROM payments"))
            settled = [row.order_id for row in paid]
            assert len(set(settled)) == len(settled)
            assert {i for i, state in states.items() if state == "paid"} == set(settled)
            assert told == len(settled)
            waiting = sum(state == "awaiting_payment" for state in states.values())
            assert reserved == 200_000 * waiting
            assert rows <= len({tx for tx, *_ in payments})

    asyncio.run(run())
