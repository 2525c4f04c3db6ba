"""A real device that brings more than its allowance: all of it is stored, only later."""

from contextlib import closing

from iot_minting.even_clock import wall_ms
from iot_minting.gateway.allowance import Allowance
from iot_minting.gateway.archive import Archive
from iot_minting.gateway.linking import LinkJudge
from iot_minting.gateway.registry import Registry
from iot_minting.gateway.subscription import Subscription
from iot_minting.wire.topics import readings_filter
from tests.support.minting.parts import (
    CHAIN,
    make_ingest,
    registered,
    running_broker,
    running_device,
    until,
)

COUNT = 300


class Slow(Allowance):
    """Lets 200 samples through, then none until it is opened."""

    opened = False

    def take(self, count, now_ms):
        return super().take(count, now_ms if self.opened else 0)


def test_what_is_put_off_is_stored_once_when_it_comes_again(tmp_path):
    archive, slow = Archive(tmp_path / "mint.sqlite"), Slow(1_000, 200)
    known = Registry([registered("m")])
    judge = LinkJudge(CHAIN, known, archive, archive.ends(), allowance=lambda: slow)
    subscription = Subscription("mmu-t", [readings_filter()])
    ingest = make_ingest(judge, archive, subscription)
    with running_broker() as broker:
        subscription.start("127.0.0.1", broker.port)
        ingest.start()
        try:
            with running_device(broker.port, "m", tmp_path) as device:
                device.record_many([[(wall_ms() + n, n)] for n in range(COUNT)])
                until(lambda: device.held == COUNT - 100, what="the first hundred's receipt")
                slow.opened = True
                assert device.wait_receipted(60)
        finally:
            subscription.stop()
            ingest.stop()
    with closing(Archive(tmp_path / "mint.sqlite")) as stored:
        assert (stored.envelope_count(), stored.refused_counts()) == (COUNT, {})
