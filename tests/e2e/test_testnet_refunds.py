"""Money by the signer on a whole network: a refund, a top-up and a coupon that a campaign gave."""

import json
import os
import signal

import pytest
from ulid import ULID

from ledger.primitives.keys import Seed, SigningKey, address_of, format_address
from simulator.dairy.record import PURCHASES_FILE
from tests.support.testnet.running import RunningTestnet

START_S = 300
PAY_S = 300
REFUND_S = 300
POOR = SigningKey(Seed(b"somebody without a BILL".ljust(32, b".")))

pytestmark = pytest.mark.timeout(1200)


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
        top_up_somebody(net, http)
        hand_out_free_milk(net, http, key)


def entered(net, http, name):
    """Log a person of the demonstration in; give the headers of their requests."""
    demo = json.loads((net.layout.home("api") / "demo.json").read_text("utf-8"))
    [person] = [one for one in demo["people"] if one["loginName"] == name]
    [union] = http.get("/api/v1/unions").json()["data"]
    body = {"unionId": union["id"], "loginName": name, "password": person["password"]}
    told = http.post("/api/v1/auth/login", json=body)
    assert told.status_code == 200, told.text
    return {"Authorization": f"Bearer {told.json()['accessToken']}"}, told.json()["user"]["id"]


def begun(http, path, body, headers):
    told = http.post(
        f"/api/v1{path}", json=body, headers={**headers, "Idempotency-Key": str(ULID())}
    )
    return told.json() if told.is_success else None


def top_up_somebody(net, http):
    """Whoever has no BILL pays cash at the office, and has some."""
    officer, _ = entered(net, http, "officer")
    to = format_address(address_of(POOR.public), "dbill")
    body = {"address": to, "amount": "7.20", "receiptNumber": str(ULID())}
    asked = net.until(
        lambda: begun(http, "/top-ups", body, officer), REFUND_S, "signer that is heard"
    )
    at = f"/api/v1/top-ups/{asked['id']}"

    def state():
        return http.get(at, headers=officer).json()["state"]

    net.until(lambda: state() == "succeeded", REFUND_S, "top-up")
    held = http.get(f"/api/v1/accounts/{to}").json()
    assert held["bill"] == asked["bill"]


def hand_out_free_milk(net, http, key):
    """The union gives a student a coupon; the till scans it, and its float pays for the milk."""
    officer, _ = entered(net, http, "officer")
    student, user_id = entered(net, http, "student")
    till = {"Authorization": f"Bearer {key}"}
    [shop] = http.get("/api/v1/merchants").json()["data"]
    product = http.get("/api/v1/products").json()["data"][0]
    body = {
        "name": "School milk",
        "merchantId": shop["id"],
        "productId": product["id"],
        "fundedBy": "state",
        "userIds": [user_id],
    }
    assert begun(http, "/coupon-campaigns", body, officer)
    [coupon] = http.get("/api/v1/coupons", headers=student).json()["data"]
    scan = f"/coupons/{coupon['code']}/redeem"
    order = net.until(lambda: begun(http, scan, {}, till), REFUND_S, "order of the coupon")

    def state():
        return http.get(f"/api/v1/orders/{order['id']}", headers=till).json()["state"]

    net.until(lambda: state() == "paid", REFUND_S, "free milk")
    [used] = http.get("/api/v1/coupons", headers=student).json()["data"]
    assert used["state"] == "redeemed"
