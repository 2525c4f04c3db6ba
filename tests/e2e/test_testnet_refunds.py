"""A refund on a whole network: asked for, signed by the signer, back with the shopper."""

import os
import signal

import pytest
from ulid import ULID

from simulator.dairy.shopper import PURCHASES_FILE
from tests.support.testnet.running import RunningTestnet

START_S = 90
PAY_S = 120
REFUND_S = 60

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def net(tmp_path):
    net = RunningTestnet(tmp_path / "net", {})
    net.start("--validators", "4")
    net.until(net.ready, START_S, "ready network")
    yield net
    net.close()


def purchases(net):
    path = net.layout.home("shopper") / PURCHASES_FILE
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return [line for line in lines if '"valid":true' in line]


def test_milk_that_was_not_handed_over_is_paid_back_and_outlives_kill_9_of_the_signer(net):
    net.until(lambda: purchases(net), PAY_S, "purchase")
    order_id = purchases(net)[-1].split('"orderId":"')[1][:26]
    key = (net.layout.home("api") / "api.key").read_text("utf-8").strip()
    headers = {"Authorization": f"Bearer {key}"}
    with net.http() as http:

        def refund():
            sent = {**headers, "Idempotency-Key": str(ULID())}
            body = {"reason": "not_handed_over", "orderId": order_id}
            answer = http.post("/api/v1/refunds", json=body, headers=sent)
            return answer.json() if answer.status_code == 202 else None

        asked = net.until(refund, REFUND_S, "signer that is heard")
        os.kill(net.pid("signer"), signal.SIGKILL)

        def state():
            return http.get(f"/api/v1/refunds/{asked['id']}", headers=headers).json()["state"]

        net.until(lambda: state() == "succeeded", REFUND_S, "refund")
        shown = http.get(f"/api/v1/orders/{order_id}", headers=headers).json()
    assert shown["state"] == "refunded"
