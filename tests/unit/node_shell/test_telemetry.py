"""Figures: percentiles of what was seen to become final, and a log that machines can read."""

import json
import subprocess
import sys

from node.shell.p2p.transport import TransportCounters
from node.shell.telemetry import LIVE_MS, Telemetry

LOGGED = """
import logging, structlog
from node.logs import set_up_logs
set_up_logs("a-service", "info")
structlog.get_logger("billcoin.x").info("hello", height=3)
structlog.get_logger("billcoin.x").debug("not shown")
logging.getLogger("library").warning("its %s", "word")
logging.getLogger("libp2p.x").error("noise")
try:
    1 / 0
except ZeroDivisionError:
    structlog.get_logger("billcoin.x").exception("failed")
"""


def test_percentiles_are_of_blocks_seen_live():
    telemetry = Telemetry()
    assert telemetry.finality_ms() == (0.0, 0.0, 0.0)
    for latency_ms in range(1, 101):
        telemetry.saw_final(latency_ms, 1, 0)
    telemetry.saw_final(LIVE_MS, 1, 1)
    telemetry.saw_final(-5, 1, 0)
    assert telemetry.finality_ms() == (50.0, 95.0, 99.0)
    text = telemetry.render(TransportCounters(dropped=7)).decode()
    assert "billcoin_blocks_total 102.0" in text
    assert "billcoin_transactions_failed_total 1.0" in text
    assert "billcoin_finality_seconds_count 100.0" in text
    assert "billcoin_dropped_messages 7.0" in text


def test_two_nodes_of_one_process_do_not_share_counters():
    one, other = Telemetry(), Telemetry()
    one.blocks.inc()
    assert b"billcoin_blocks_total 0.0" in other.render(TransportCounters())


def test_every_log_line_is_one_json_object():
    ran = subprocess.run([sys.executable, "-c", LOGGED], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in ran.stderr.splitlines()]
    assert [line["message"] for line in lines] == ["hello", "its word", "failed"]
    assert all(line["service"]["name"] == "a-service" for line in lines)
    assert lines[0]["height"] == 3
    assert "ZeroDivisionError" in lines[2]["error"]["stack_trace"]
