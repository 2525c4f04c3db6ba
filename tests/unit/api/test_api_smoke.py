import asyncio
from tests.support.api_bench import running_bench
from tests.support.postgres import TestDatabase

def test_an_order_is_paid_and_validates(database: TestDatabase) -> None:
    async def go() -> None:
        async with running_bench(database) as bench:
            order = await bench.order()
            print(order, await bench.offer(order))
            tx = await bench.paid(order)
            a = await bench.validate(tx)
            print(a.status_code, a.text, a.headers)
            assert a.json()["valid"] is True
    asyncio.run(go())
