"""`billcoin signer run` beside a real node: killed between any two steps, it signs once."""

import random
import signal
import subprocess
import time
from contextlib import contextmanager

import pytest

from api.signing.process.config import usual_limits
from api.signing.process.journal import JOURNAL_FILE
from ledger.primitives.codec import encode
from ledger.primitives.keys import address_of
from ledger.types.transaction import decode_transaction
from node.home.key_file import read_key
from tests.support.api.signer_process import COMMAND, real_chain, signer_rig, until
from tests.support.api.signing import LITRE, PAYOUT, STUDENT, top_up
from tests.support.system.patience import PATIENCE_S

FUNDS = 100 * LITRE
KILLS = 8
REQUESTS = 24


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    with real_chain(tmp_path_factory.mktemp("chain")) as chain:
        yield chain


@pytest.fixture
def rig(tmp_path, chain):
    with signer_rig(tmp_path, chain, usual_limits("operating"), funds=FUNDS) as rig:
        yield rig


def check_books(rig, requests):
    """Put all that was handed over on the chain: each request is paid once, and nothing else."""
    given = [rig.service.signatures[request] for request in requests]
    assert all(len(set(raws)) == 1 for raws in given), "one request has one transaction"
    made = rig.service.transactions()
    assert len(made) == len(requests)
    assert [one.intent.nonce for one in made] == list(range(len(made)))
    rig.chain.submit([encode(one) for one in made])
    assert all(rig.chain.final(one.id) for one in made)
    paid = sum(one.intent.body.units + one.intent.fee_units for one in made)
    after = rig.chain.account(rig.account)
    assert after.nonce == len(made)
    assert FUNDS - after.units == paid


@contextmanager
def hung(rig, step):
    rig.service.hung.add(step)
    yield
    rig.service.hung.discard(step)


def test_killed_while_it_waits_for_work_it_takes_up_work(rig):
    with hung(rig, "lease"), rig.running():
        rig.reached("lease")
    request = rig.ask(top_up(LITRE))
    with rig.running():
        rig.answered(request)
    check_books(rig, [request])


def test_killed_with_a_lease_and_before_it_has_looked_at_the_chain(rig):
    with hung(rig, "lease"), rig.running():
        rig.reached("lease")
        request = rig.ask(top_up(LITRE))
        rig.chain.stop()
        rig.service.hung.discard("lease")
        until(lambda: rig.service.leases, rig.log.read_text)
    rig.chain.go_on()
    assert not rig.service.signatures
    with rig.running():
        rig.answered(request)
    check_books(rig, [request])


def test_killed_with_bytes_that_nobody_has_got(rig):
    request = rig.ask(top_up(LITRE))
    rig.service.signature_status = 503
    with rig.running():
        rig.reached("signature", 2)
    rig.service.signature_status = 200
    with rig.running():
        rig.answered(request)
    check_books(rig, [request])


def test_killed_with_bytes_that_were_got_and_not_confirmed(rig):
    request = rig.ask(top_up(LITRE))
    with hung(rig, "signature"), rig.running():
        rig.reached("signature")
    assert len(rig.service.signatures[request]) == 1
    rig.chain.submit(rig.service.signatures[request])
    with rig.running():
        rig.answered(request)
    check_books(rig, [request])


def test_killed_between_two_of_one_lease(rig):
    requests = [rig.ask(top_up(LITRE)) for _ in range(3)]
    with hung(rig, "signature"), rig.running():
        rig.reached("signature")
    with rig.running():
        rig.answered(*requests)
    check_books(rig, requests)


def test_killed_as_it_refuses(rig):
    refused, good = rig.ask(top_up(99 * LITRE)), rig.ask(top_up(LITRE))
    with hung(rig, "refusal"), rig.running():
        rig.reached("refusal")
    with rig.running():
        rig.answered(refused, good)
    assert rig.service.refusals == {refused: "EACH_LIMIT"}
    check_books(rig, [good])


def test_killed_again_and_again_at_any_time(rig, request):
    seed = random.randrange(2**32)
    request.node.user_properties.append(("seed", seed))
    dice, requests = random.Random(seed), []
    for _ in range(KILLS):
        requests += [rig.ask(top_up(LITRE // 100)) for _ in range(REQUESTS // KILLS)]
        with rig.running():
            rig.reached("lease", rig.service.asked.count("lease") + 1)
            time.sleep(dice.random() / 20)
        if dice.random() < 0.5:
            rig.service.forget()
    with rig.running():
        rig.answered(*requests)
    check_books(rig, requests)


def test_a_refund_of_a_real_payment_goes_back_to_whoever_paid(rig):
    payer = address_of(rig.chain.payer.public)
    request = rig.refund(rig.chain.pay(PAYOUT, 2 * LITRE), 2 * LITRE)
    with rig.running():
        rig.answered(request)
    (raw,) = set(rig.service.signatures[request])
    assert decode_transaction(raw).intent.body.to == payer
    check_books(rig, [request])


def test_two_of_one_home_is_one_too_many_and_sigterm_ends_it(rig):
    with rig.running() as first:
        rig.reached("lease")
        second = subprocess.run(
            [*COMMAND, "signer", "run", "--home", str(rig.home)],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert second.returncode == 1
        assert f"process {first.pid}" in second.stderr
        first.send_signal(signal.SIGTERM)
        assert first.wait(PATIENCE_S) == 0
    seed = (rig.home / "keys" / "operating.key").read_text("utf-8").strip()
    assert seed not in rig.log.read_text("utf-8")


def test_two_homes_with_one_key_stop_each_other_instead_of_paying_twice(rig, tmp_path):
    request = rig.ask(top_up(LITRE))
    with rig.running():
        rig.answered(request)
    stolen = rig.chain.pay(STUDENT, LITRE, key=read_key(rig.home / "keys/operating.key"))
    assert rig.chain.final(stolen)
    late = rig.ask(top_up(LITRE))
    with rig.running():
        until(lambda: "another process" in rig.log.read_text("utf-8"), rig.log.read_text)
    assert late not in rig.service.answered
    assert (rig.home / JOURNAL_FILE).exists()
