"""A shop goes on selling while parts of its service are killed, hung or run out of disk.

Twelve counters sell meanwhile. In the end three books agree: what the wallets lost by the chain,
what the tills saw valid, and what the payments service wrote down; each order is paid once, by one
transaction. How long nobody could pay is told for each fault (`-s` shows it).
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time

import httpx
import psutil
import pytest
from ulid import ULID

from ledger.primitives.amounts import parse_bill
from tests.support.testnet.counters import Counters
from tests.support.testnet.running import BILLCOIN, RunningTestnet

START_S = 300
BACK_S = 300
COUNTERS = 12
BETWEEN = 25
"""So many sales after each fault say that the shop goes on."""
HANG_S = 4
DISK = "256m"
PAGE = 200
END_S = 300

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    """Run a network whose database has, where that can be, a small disk of its own."""
    net = RunningTestnet(tmp_path_factory.mktemp("load") / "net", {})
    making = (BILLCOIN, "testnet", "init", "--dir", net.layout.root, "--validators", "4")
    accounts = ("--load-accounts", str(COUNTERS))
    subprocess.run([*making, *accounts], check=True, capture_output=True)
    disk = net.layout.database
    disk.mkdir(parents=True, exist_ok=True)
    mount = ("mount", "-t", "tmpfs", "-o", f"size={DISK},mode=0700", "tmpfs", str(disk))
    mounted = (
        os.geteuid() == 0
        and shutil.which("mount") is not None
        and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    )
    try:
        net.start()
        net.until(net.ready, START_S, "ready network")
        yield net
    finally:
        net.close()
        if mounted:
            subprocess.run(["umount", "-l", str(disk)], check=True)


def test_faults_under_load_lose_no_payment_and_double_none(net, capsys):
    with Counters(net, COUNTERS) as counters:
        outages = {}
        sell_on(net, counters, time.monotonic())
        refunded = []
        for _ in range(3):
            refunded.append(refund(net, counters, refunded))
        for name, misery in MISERIES.items():
            began_s = time.monotonic()
            if misery(net) is False:
                continue
            sell_on(net, counters, time.monotonic())
            outages[name] = round(counters.gap_s(began_s), 1)
            refunded.append(refund(net, counters, refunded))
        counters.end(END_S)
        with capsys.disabled():
            print(f"\nseconds without a sale, {COUNTERS} counters: {json.dumps(outages)}")
        assert not counters.ledger.odd
        back = sum(given_back(net, one) for one in refunded)
        reconcile(net, counters, back)


def sell_on(net, counters, since_s):
    """Wait until the shop sells as before."""
    net.until(
        lambda: counters.ledger.odd or counters.sold_since(since_s) >= BETWEEN,
        BACK_S,
        "counter that sells",
    )


def refund(net, counters, before):
    """Ask for a sale's money back, as a till does: again until it is heard; each sale's once."""
    given = {sale.order_id for _, sale in before}
    sale = next(one for one in reversed(counters.ledger.sold) if one.order_id not in given)
    sent = {"Idempotency-Key": str(ULID())}
    body = {"reason": "not_handed_over", "orderId": sale.order_id}

    def asked():
        answer = heard(net, "POST", "/refunds", json=body, headers=sent)
        return answer.json()["id"] if answer is not None and answer.status_code == 202 else None

    return net.until(asked, BACK_S, "refund that is taken"), sale


def given_back(net, asked):
    """Wait for the end of a refund; give its units."""
    refund_id, sale = asked

    def state():
        answer = heard(net, "GET", f"/refunds/{refund_id}")
        return answer is not None and answer.json().get("state") == "succeeded"

    net.until(state, BACK_S, "refund")
    return sale.units


def heard(net, method, path, **sent):
    """Ask the service once; None if it says nothing: then it is asked again."""
    try:
        with net.http() as http:
            return http.request(method, f"/api/v1{path}", **sent)
    except httpx.TransportError:
        return None


def reconcile(net, counters, back):
    """Hold that wallets, tills and the service's books say the same."""
    sold = counters.ledger.sold
    assert len({sale.order_id for sale in sold}) == len({sale.tx_hash for sale in sold})
    assert counters.spent() == sum(sale.units for sale in sold) - back
    written = list(payments(net))
    ours = {sale.tx_hash: sale for sale in sold}
    booked = [one for one in written if one["txHash"] in ours]
    assert len(booked) == len(ours), "each sale stands in the books, once"
    for one in booked:
        sale = ours[one["txHash"]]
        assert (one["orderId"], one["outcome"]) == (sale.order_id, "succeeded"), one
        assert parse_bill(one["amount"]["bill"]) == sale.units
    orders = [one["orderId"] for one in written if one["outcome"] == "succeeded"]
    assert len(orders) == len(set(orders)), "no order is paid by two"


def payments(net):
    cursor = None
    while True:
        asked = {"limit": PAGE, **({"cursor": cursor} if cursor else {})}
        page = net.until(lambda asked=asked: page_of(net, asked), BACK_S, "page of payments")
        yield from page["data"]
        cursor = page["nextCursor"]
        if not page["hasMore"]:
            return


def page_of(net, asked):
    answer = heard(net, "GET", "/payments", params=asked)
    return answer.json() if answer is not None and answer.is_success else None


# What happens to the shop.


def running(net, name):
    """Give a process; one that the supervisor is starting again is waited for."""
    return psutil.Process(net.until(lambda: net.pid(name), BACK_S, f"{name} to harm"))


def postmaster(net):
    """Give the database's server, below the process that keeps it."""
    [one] = net.until(lambda: running(net, "database").children(), BACK_S, "server")
    return one


def killed(net, name):
    victim = running(net, name).pid
    os.kill(victim, signal.SIGKILL)
    net.until(lambda: net.pid(name) not in (None, victim), BACK_S, f"second {name}")


def hung(net, process):
    """Let a process and all below it stand still for a while."""
    until_s = time.monotonic() + HANG_S
    family = [process, *process.children(recursive=True)]
    try:
        for each in family:
            with contextlib.suppress(psutil.NoSuchProcess):  # A session that ended just now.
                each.suspend()
        net.until(lambda: time.monotonic() > until_s, BACK_S, "end of the hang")
    finally:
        for each in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.resume()


def a_worker_killed(net):
    net.until(lambda: running(net, "api").children(), BACK_S, "worker")[0].kill()


def the_service_killed(net):
    killed(net, "api")


def a_backend_of_the_database_killed(net):
    # PostgreSQL ends every session then, and recovers.
    postmaster(net).children()[-1].kill()


def the_database_killed(net):
    postmaster(net).kill()
    killed(net, "database")


def the_database_hung(net):
    hung(net, running(net, "database"))


def a_node_killed(net):
    killed(net, "node-0")


def a_node_hung(net):
    hung(net, running(net, "node-1"))


def the_signer_killed(net):
    killed(net, "signer")


def the_signer_hung(net):
    hung(net, running(net, "signer"))


def the_disk_full(net):
    disk = net.layout.database
    if not disk.is_mount():
        return False
    ballast = disk / "ballast"
    try:
        fill(ballast)
        net.until(lambda: not sells(net), BACK_S, "service that can write nothing")
    finally:
        ballast.unlink()
    return True


def fill(path):
    """Write until not a byte more fits."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 16, 1 << 12, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


def sells(net):
    """Tell whether an order can be opened."""
    body = {"items": [{"productId": "whole-200", "quantity": 1}]}
    sent = {"Idempotency-Key": str(ULID())}
    told = heard(net, "POST", "/orders", json=body, headers=sent)
    return told is not None and told.status_code < 500


MISERIES = {
    each.__name__.replace("_", " "): each
    for each in (
        a_worker_killed,
        the_service_killed,
        a_backend_of_the_database_killed,
        the_database_killed,
        the_database_hung,
        a_node_killed,
        a_node_hung,
        the_signer_killed,
        the_signer_hung,
        the_disk_full,
    )
}
