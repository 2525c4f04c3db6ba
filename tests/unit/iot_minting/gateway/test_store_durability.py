"""The store: what is committed stays, what is not was never there, nothing is used twice."""

import pytest

from iot_minting.gateway.claims import build_claim
from iot_minting.gateway.judgement import Gateway
from iot_minting.gateway.policy import CutRun
from iot_minting.gateway.store import OutboxRun, OutboxState, Store
from iot_minting.gateway.verdicts import Accepted
from tests.support.minting.milk_line import START_MS, MilkLine


@pytest.fixture
def path(tmp_path):
    return tmp_path / "mint.sqlite"


@pytest.fixture
def line():
    return MilkLine()


@pytest.fixture
def store(path, line):
    store = Store(path)
    store.save_registry(line.registry, 0)
    yield store
    store.close()


def judged(line, count=3, **changes):
    meter = line.meters[0]
    verdicts = []
    for number in range(count):
        verdicts += line.send(meter, [(START_MS + number, number)], **changes)
    return verdicts


def a_run(line, name=b"r" * 32, state=OutboxState.CUT):
    return OutboxRun(name, "p", "l", state, 5, b"mint", b"", b"", 0, 0, "", START_MS)


def test_what_was_recorded_is_there_after_a_restart(store, path, line):
    verdicts = judged(line)
    store.record(verdicts)
    store.close()
    again = Store(path)
    placed = again.unused(0, 10)
    assert [p.stored for p in placed] == [v.stored for v in verdicts]
    (head,) = again.heads()
    assert (head.seq, head.digest) == (2, verdicts[-1].stored.digest)
    again.close()


def test_a_gateway_over_a_reopened_store_goes_on_and_knows_repeats(store, line):
    envelopes = [line.meters[0].read([(START_MS + n, n)]) for n in range(3)]
    for envelope in envelopes[:2]:
        store.record(line.deliver(line.meters[0], envelope))
    line.gateway = Gateway(
        line.dairy.chain_id, line.registry, store.digest_of, store.heads(), store.tampered()
    )
    (repeat,) = line.deliver(line.meters[0], envelopes[0])
    assert repeat.entry.detail.endswith("the same envelope again")
    (verdict,) = line.deliver(line.meters[0], envelopes[2])
    assert isinstance(verdict, Accepted)


def test_a_batch_that_fails_leaves_nothing_behind(store, line):
    verdicts = judged(line)
    with pytest.raises(Exception, match="UNIQUE"):
        store.record([*verdicts, verdicts[0]])
    assert store.envelope_count() == 0
    assert store.heads() == []
    store.record(verdicts)
    assert store.envelope_count() == 3


def test_an_unusable_envelope_settles_its_number_across_a_restart(store, line):
    line.meters[0].read([(START_MS, 0)])
    line.meters[0].reboot()
    (verdict,) = judged(line, 1, tamper=True)
    store.record([verdict])
    (head,) = store.heads()
    assert (head.seq, head.digest, head.before) == (0, verdict.digest, None)
    assert store.tampered() == [(line.meters[0].key.public, 2, 0)]
    assert store.digest_of(line.meters[0].key.public, 2, 0) == verdict.digest


def test_the_same_refusal_is_kept_once_and_counted(store, line):
    for _ in range(3):
        store.record(line.deliver(line.meters[0], b"rubbish"))
    (entry,) = store.quarantine(10)
    assert (entry.code, entry.times) == ("malformed", 3)
    assert store.quarantine_counts() == {"malformed": 3}


def test_an_envelope_is_used_by_one_run(store, line):
    verdicts = judged(line)
    store.record(verdicts)
    pieces = [v.stored for v in verdicts]
    store.keep_run(a_run(line), pieces[:2])
    assert [p.stored.seq for p in store.unused(0, 10)] == [2]
    with pytest.raises(AssertionError, match="one run"):
        store.keep_run(a_run(line, b"s" * 32), pieces[1:])
    assert [p.stored.seq for p in store.unused(0, 10)] == [2]
    assert store.run_totals() == {"sealed": (1, 5)}
    assert store.use_counts() == {"run": 2, "undecided": 1}


def test_the_same_run_is_never_sealed_twice(store, line):
    store.keep_run(a_run(line), [])
    with pytest.raises(Exception, match="UNIQUE"):
        store.keep_run(a_run(line), [])


def test_the_outbox_gives_the_oldest_open_run(store, line):
    store.keep_run(a_run(line, b"a" * 32, OutboxState.HELD), [])
    store.keep_run(a_run(line, b"b" * 32), [])
    store.keep_run(a_run(line, b"c" * 32), [])
    first = store.next_run()
    assert first.run == b"b" * 32
    store.update_run(a_run(line, b"b" * 32, OutboxState.FINAL))
    assert store.next_run().run == b"c" * 32
    assert [run.run[:1] for run in store.runs(10)] == [b"c", b"b", b"a"]


def test_a_killed_gateway_seals_the_very_same_claim(store, path, line):
    line.milk(0, 5_000)
    line.pasteurize(5_000_000)
    (run,) = [d for d in line.step() if isinstance(d, CutRun)]
    store.record([Accepted(piece) for piece in sorted(run.pieces(), key=lambda p: p.seq)])
    store.close()
    store.__init__(path)
    again = MilkLine()
    for placed in store.unused(0, 1_000):
        again.policy.observe(placed.stored)
    (same,) = [d for d in again.policy.step(line.now_ms + 60_000) if isinstance(d, CutRun)]
    assert build_claim(same, line.rules) == build_claim(run, line.rules)
