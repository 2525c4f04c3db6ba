"""Strangers' requests: schemathesis over the whole interface of a service that runs for real.

A testnet with a real node, a real PostgreSQL and the real processes serves; schemathesis knows its
document and nothing else but whose credentials it may use. It asks within the schemas and outside
of them, then follows links from answer to answer. No answer may be a 5xx but a 503 that says so,
none may be of a status, type or shape that the document doesn't tell, no wrong data may be taken
for right, nothing may open without its credential, and what was taken away must stay away.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.testnet.running import BILLCOIN, RunningTestnet
from tests.tidy.repository import ROOT

START_S = 300
EXAMPLES = 4
WALKS = 40
LINKS_LEAST = 20
"""So many of the links that schemathesis infers must have been followed: else it asked in vain."""

SETTINGS = """
generation.max-examples = {examples}
request-timeout = 30.0

[phases.coverage]
unexpected-methods = ["PUT"]

[phases.stateful]
max-steps = 20
generation.mode = "positive"
generation.max-examples = {walks}

[checks]
# A 503 is an answer: the ledger or the database is away, under load too.
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "503"]
# A body that is too large is not read, whatever else is wrong with it.
negative_data_rejection.expected-statuses = [
    "400", "401", "403", "404", "405", "406", "409", "413", "415", "422", "428", "429", "503",
]
# Wrong passwords and codes are counted before a body is read whole.
missing_required_header.expected-statuses = ["400", "401", "403", "406", "415", "422", "429"]
# What is right by its form may be wrong by its meaning: a cursor that we never gave, a product that
# isn't sold, 28.0 for a whole number.
positive_data_acceptance.enabled = false

[[operations]]
# They never end; tests/unit/api has them.
include-operation-id = ["readStream", "followOrder"]
enabled = false

[[operations]]
# They would log the testers out; tests/unit/api/test_people_*.py has them.
include-operation-id = ["logout", "setPassword"]
enabled = false

[[operations]]
# A till that was just made has no code claimed yet, so no key is waited for.
include-operation-id = "showTerminalKey"
checks.ensure_resource_availability.enabled = false

[[operations]]
# The order is there; a coupon that the caller has not is told in the same words.
include-operation-id = "useCoupon"
checks.ensure_resource_availability.enabled = false

[[operations]]
# Who begins a link anew has given the one before up.
include-operation-id = [
    "readWalletLink", "proveWalletLink", "confirmWalletLink", "removeWalletLink",
]
checks.ensure_resource_availability.enabled = false

[[operations]]
# A revoked key opens nothing and stays in the books: it is read, listed, and revoked once more.
include-operation-id = ["readApiKey", "revokeApiKey", "rotateApiKey"]
checks.use_after_free.enabled = false

[[operations]]
# An amount may be a JSON number as well, which is read by its text; we advise against it.
include-operation-id = "validatePayment"
checks.negative_data_rejection.enabled = false
"""

pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory):
    net = RunningTestnet(tmp_path_factory.mktemp("strangers") / "net")
    # Made for measurements: its service limits no pace, so each request reaches its work.
    making = (BILLCOIN, "testnet", "init", "--dir", str(net.layout.root), "--validators", "1")
    subprocess.run([*making, "--load-accounts", "1"], check=True, capture_output=True)
    net.start()
    try:
        net.until(net.ready, START_S, "ready network")
        yield net
    finally:
        net.close()


def test_no_request_of_a_stranger_gets_an_answer_that_is_not_told(
    net: RunningTestnet, tmp_path: Path
) -> None:
    settings = tmp_path / "schemathesis.toml"
    settings.write_text(SETTINGS.format(examples=EXAMPLES, walks=WALKS))
    url = net.url("api")
    done = subprocess.run(
        [
            *(str(Path(sys.executable).parent / "schemathesis"), "--config-file", str(settings)),
            *("run", f"{url}/openapi.json", "--phases", "coverage,fuzzing,stateful"),
            *("--no-color", "--continue-on-failure", "--no-shrink"),
            *("--generation-database", "none"),
        ],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SCHEMATHESIS_HOOKS": "tests.support.api.strangers",
            "STRANGERS_URL": url,
            "STRANGERS_HOME": str(net.layout.home("api")),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    followed = re.search(r"API Links:\s+(\d+) covered", done.stdout)
    assert followed is not None, done.stdout[-5_000:]
    assert int(followed[1]) >= LINKS_LEAST
