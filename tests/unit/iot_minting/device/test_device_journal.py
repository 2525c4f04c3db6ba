"""A device's journal over kills, restarts, receipts and backups: the chain always links.

`World` plays a device's disk against an ingest that judges and stores; what the ingest holds is
looked at whole after every history.
"""

import shutil
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from iot_minting.device.chain import DeviceChain, Heard
from iot_minting.device.journal import JOURNAL_MAX
from iot_minting.device.signer import DeviceSettings
from iot_minting.gateway.linking import LinkJudge
from iot_minting.gateway.registry import Registry
from iot_minting.gateway.verdicts import Accepted
from iot_minting.wire.receipts import NOTHING_SETTLED
from iot_minting.wire.topics import readings_topic
from ledger.types.reading import FIRST_OF_CHAIN, Stream, Unit, decode_envelope
from tests.support.ledger.dairy import key
from tests.support.minting.parts import CHAIN, INGEST, PLANT, registered

START_MS = 1_700_000_000_000
SETTINGS = DeviceSettings(
    "m",
    PLANT,
    "l",
    Stream.VOLUME_TOTAL,
    Unit.MILLILITRE,
    CHAIN,
    (INGEST.public,),
    "127.0.0.1",
    1,
)


class World:
    """A device, its disk and a backup of it, and an ingest; time goes on at every act."""

    def __init__(self, folder):
        self.folder, self.now_ms, self.measured = folder, START_MS, 0
        self.archive, self.accepted, self.samples = {}, [], []
        self.gateway = LinkJudge(CHAIN, Registry([registered("m")]), self)
        self.path = folder / "live" / "m.sqlite"
        self.device = DeviceChain(SETTINGS, key("m"), self.path)

    def digest_of(self, *name):
        return self.archive.get(name)

    def last_seq(self, device, boot):
        return max((seq for _, at, seq in self.archive if at == boot), default=-1)

    def measure(self, count):
        batches = []
        for _ in range(count):
            self.now_ms += 10
            self.measured += 1
            batches.append([(self.now_ms, self.measured)])
        self.device.record(batches)
        self.samples += [sample for batch in batches for sample in batch]

    def restart(self):
        self.device.close()
        self.now_ms += 5_000
        self.device = DeviceChain(SETTINGS, key("m"), self.path)

    def back_up(self):
        self.device.close()
        shutil.rmtree(self.folder / "backup", ignore_errors=True)
        shutil.copytree(self.path.parent, self.folder / "backup")
        self.device = DeviceChain(SETTINGS, key("m"), self.path)

    def restore(self):
        if (self.folder / "backup").exists():
            self.device.close()
            shutil.rmtree(self.path.parent)
            shutil.copytree(self.folder / "backup", self.path.parent)
            self.device = DeviceChain(SETTINGS, key("m"), self.path)

    def lose(self):
        self.device.close()
        shutil.rmtree(self.path.parent)
        self.device = DeviceChain(SETTINGS, key("m"), self.path)

    def deliver(self, *, receipted=True):
        """Send what may go, as the device does: after it heard how far its chain is settled."""
        self.hear()
        topic = readings_topic(PLANT, "l", key("m").public)
        while sent := self.device.sendable((-1, -1), 3):
            for _, _, raw in sent:
                for verdict in self.gateway.judge(topic, raw, self.now_ms):
                    if isinstance(verdict, Accepted):
                        stored = verdict.stored
                        self.archive[stored.device, stored.boot, stored.seq] = stored.digest
                        self.accepted.append(stored.envelope)
            if not receipted:
                return
            self.hear()

    def hear(self):
        public = key("m").public
        if (boot := self.gateway.newest(public)) is not None:
            self.device.hear(self.gateway.settled(public, boot))


def chains_of(envelopes):
    """Check that envelopes are one chain after another; list the samples of each chain."""
    chains = []
    for before, envelope in pairwise([None, *envelopes]):
        reading = envelope.reading()
        times = [(reading.t0_ms + offset_ms, value) for offset_ms, value in reading.samples]
        if reading.previous == FIRST_OF_CHAIN:
            assert reading.seq == 0
            chains.append(times)
            continue
        assert reading.previous == before.digest()
        last = before.reading()
        assert times[0] == (last.last_ms, last.samples[-1][1])
        chains[-1] += times[1:]
    return chains


ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("measure"), st.integers(1, 4)),
        st.sampled_from(["restart", "deliver", "send"]),
    ),
    max_size=20,
)
BAD_ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("measure"), st.integers(1, 4)),
        st.sampled_from(["restart", "deliver", "send", "back_up", "restore", "lose"]),
    ),
    max_size=24,
)


def play(world, acts):
    for act in acts:
        match act:
            case ("measure", count):
                world.measure(count)
            case "send":
                world.deliver(receipted=False)
            case name:
                getattr(world, name)()


@settings(max_examples=40)
@given(acts=ACTS)
def test_over_restarts_one_chain_links_and_no_sample_is_lost_or_doubled(acts):
    with TemporaryDirectory() as folder:
        world = World(Path(folder))
        play(world, acts)
        world.deliver()
        assert world.device.held == 0
        assert chains_of(world.accepted) == ([world.samples] if world.samples else [])
        world.device.close()


@settings(max_examples=80)
@given(BAD_ACTS)
def test_over_backups_and_losses_what_is_stored_still_links(acts):
    """A journal that went back or away costs what waited in it, and a break; it never forks.

    What it held of an earlier life is shown again behind the break, where nothing of it counts.
    """
    with TemporaryDirectory() as folder:
        world = World(Path(folder))
        play(world, acts)
        world.measure(2)
        world.deliver()
        assert world.device.held == 0
        chains = chains_of(world.accepted)
        for measured in chains:
            assert measured == sorted(set(measured))
            assert set(measured) <= set(world.samples)
        assert chains[-1][-2:] == world.samples[-2:]
        gone = sum(act in ("restore", "lose") for act in acts)
        assert len(chains) <= 1 + gone
        world.device.close()


def test_a_receipt_for_another_envelope_of_the_same_number_covers_nothing(tmp_path):
    """Two journals that used the same numbers of one boot: the digest tells them apart."""
    one, other = World(tmp_path / "one"), World(tmp_path / "other")
    other.now_ms += 5
    for world in (one, other):
        world.measure(3)
    other.deliver()
    settled = other.gateway.settled(key("m").public, 0)
    assert one.device.hear(settled) is Heard.BEGUN_ANEW
    assert one.device.held == 3
    assert one.device.hear(settled) is Heard.NOTHING
    assert one.device.boot == 1, "it is above it already"
    waiting = [decode_envelope(raw) for raw in one.device.waiting()]
    assert chains_of(waiting) == [one.samples]
    for world in (one, other):
        world.device.close()


def test_a_device_goes_on_above_an_ingest_that_lost_what_it_receipted(tmp_path):
    world = World(tmp_path)
    world.measure(2)
    world.deliver()
    early = world.gateway.settled(key("m").public, 0)
    world.measure(2)
    world.deliver()
    world.measure(1)
    world.device.hear(early)
    assert world.device.rise_above_loss()
    (raw,) = world.device.waiting()
    assert decode_envelope(raw).reading().previous == FIRST_OF_CHAIN
    assert world.device.hear(early) is Heard.NOTHING
    assert not world.device.rise_above_loss()
    assert world.device.boot == 1
    world.device.close()


def test_a_device_begins_anew_under_an_ingest_that_has_nothing_of_it(tmp_path):
    world = World(tmp_path)
    world.measure(1)
    assert world.device.hear(NOTHING_SETTLED) is Heard.NOTHING
    assert not world.device.rise_above_loss(), "its first envelope is on its way"
    world.deliver()
    world.measure(1)
    assert world.device.hear(NOTHING_SETTLED) is Heard.NOTHING
    assert world.device.rise_above_loss()
    (raw,) = world.device.waiting()
    assert decode_envelope(raw).reading().previous == FIRST_OF_CHAIN
    world.device.close()


def test_an_idle_device_outlasts_three_days_without_a_receipt():
    assert JOURNAL_MAX > 72 * 60, "an idle device speaks once a minute"


def test_a_later_boot_waits_until_all_before_it_are_receipted(tmp_path):
    world = World(tmp_path)
    world.measure(2)
    first_boot = world.device.boot
    world.restart()
    world.measure(1)
    assert world.device.boot == first_boot + 1
    assert (world.device.value, world.device.last_ms) == world.samples[-1][::-1]
    listed = [(boot, seq) for boot, seq, _ in world.device.sendable((-1, -1), 9)]
    assert listed == [(first_boot, 0), (first_boot, 1)]
    world.deliver(receipted=False)
    world.hear()
    assert [(boot, seq) for boot, seq, _ in world.device.sendable((-1, -1), 9)] == [
        (first_boot + 1, 0)
    ]
    world.device.close()
