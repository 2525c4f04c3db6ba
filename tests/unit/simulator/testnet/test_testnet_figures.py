"""What a run's figures say, and that the board and the last line show it."""

import json
import re
from dataclasses import replace
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from simulator.dairy.record import PURCHASES_FILE, DeedKind, PurchaseRecord
from simulator.testnet.board import Scene, draw
from simulator.testnet.figures import (
    LATENCIES_KEPT_MAX,
    Figures,
    Finality,
    Latencies,
    LotReport,
    NodeReport,
    Purchase,
    format_litres,
    percentile,
)
from simulator.testnet.layout import ProcessState
from simulator.testnet.observation import RecordTail
from simulator.testnet.plain import draw_end, draw_line

BILL = 1_000_000


def report(height, *, minted=0, redeemed=0, ok=True, finality=None):
    supply = minted - redeemed
    return NodeReport(
        height, height + 2, 3, 0, "ab", 1, finality, minted, redeemed, supply, supply_ok=ok
    )


DONE = {
    DeedKind.WELCOME: 1,
    DeedKind.TOP_UP: 1,
    DeedKind.REFUND: 1_234,
    DeedKind.POINT: 5,
}


def scene(figures, phase="ready", validators=4):
    return Scene(
        chain="ab" * 32,
        uptime_ms=65_000,
        validators=[
            ProcessState(f"node-{i}", phase, 100 + i, 1.0, i % 2, "log") for i in range(validators)
        ],
        others=[ProcessState(n, "ready", 7, 1.0, 0, "log") for n in ("broker", "api")],
        deaths={"node-1": "killed by SIGKILL"},
        figures=figures,
        addresses={"Payments": "http://127.0.0.1:8080/", "Logs": "testnet/logs"},
        directory="testnet",
    )


def full_figures():
    figures = Figures(0, fresh=True)
    for i in range(4):
        figures.take_node(
            f"node-{i}", report(1_200 + i, minted=900 * BILL, finality=Finality(23, 41, 80)), 4_000
        )
    figures.validate.add(120)
    figures.purchases.appendleft(Purchase("12:00:01", "order …ABC", 120.0))
    for kind, count in DONE.items():
        figures.take_deed(kind, "12:00:02", "of …XYZ", count)
    figures.litre_micro_myr = 3_612_345
    figures.lots = [LotReport("ab12cd34", "whole", 200 * BILL, 199 * BILL)]
    return figures


def shown(drawn, width, height):
    console = Console(width=width, height=height, record=True, file=StringIO())
    console.print(drawn, height=height)
    return console.export_text()


def test_a_chain_that_began_with_this_run_counts_from_genesis():
    figures = Figures(stock_units=5 * BILL, fresh=True)
    figures.take_node("node-0", report(7, minted=8 * BILL), 1_000)
    assert figures.blocks == 7
    assert figures.minted_units == 3 * BILL
    assert figures.first_block_ms == 1_000


def test_a_chain_that_goes_on_counts_from_where_it_was_found():
    figures = Figures(stock_units=5 * BILL, fresh=False)
    figures.take_node("node-0", report(100, minted=50 * BILL), 1_000)
    assert (figures.blocks, figures.minted_units, figures.first_block_ms) == (0, 0, None)
    figures.take_node("node-1", report(103, minted=52 * BILL), 2_000)
    assert (figures.blocks, figures.minted_units) == (3, 2 * BILL)
    assert figures.first_block_ms == 2_000


def test_a_supply_that_was_wrong_once_stays_wrong():
    figures = Figures(0, fresh=True)
    assert not figures.supply_ok, "nothing is known yet"
    figures.take_node("node-0", report(1), 0)
    assert figures.supply_ok
    figures.take_node("node-0", report(2, ok=False), 0)
    figures.take_node("node-0", report(3), 0)
    assert not figures.supply_ok


def test_a_validator_that_does_not_answer_keeps_its_last_word():
    figures = Figures(0, fresh=True)
    figures.take_node("node-0", report(9), 0)
    figures.miss_node("node-0")
    assert figures.silent == {"node-0"}
    assert figures.height == 9
    figures.take_node("node-0", report(10), 0)
    assert not figures.silent


def test_the_rate_of_blocks_is_over_the_marks():
    figures = Figures(0, fresh=True)
    figures.take_node("node-0", report(10), 0)
    figures.mark(0)
    assert figures.blocks_per_s is None
    figures.take_node("node-0", report(30), 0)
    figures.mark(4_000)
    assert figures.blocks_per_s == 5.0


def test_a_chain_that_goes_on_is_not_counted_from_zero():
    figures = Figures(0, fresh=False)
    figures.mark(0)
    for passed_ms, height in ((1_000, 500), (3_000, 506)):
        figures.take_node("node-0", report(height), passed_ms)
        figures.mark(passed_ms)
    assert figures.blocks_per_s == 3.0


def test_finality_is_the_median_validator_s():
    figures = Figures(0, fresh=True)
    for i, p50 in enumerate((10.0, 20.0, 90.0)):
        figures.take_node(f"node-{i}", report(1, finality=Finality(p50, p50 * 2, p50 * 3)), 0)
    figures.take_node("node-3", report(1), 0)
    assert figures.finality() == {"p50": 20.0, "p95": 40.0, "p99": 60.0}


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_percentiles_are_values_that_were_measured_and_do_not_fall(values):
    latencies = Latencies()
    for value in values:
        latencies.add(value)
    ordered = sorted(values)
    found = [percentile(ordered, p) for p in (1, 50, 95, 99, 100)]
    assert found == sorted(found)
    assert set(found) <= set(values)
    assert found[-1] == ordered[-1]
    assert latencies.count == len(values)


def test_latencies_are_bounded_and_the_count_is_not():
    latencies = Latencies()
    for _ in range(LATENCIES_KEPT_MAX + 5):
        latencies.add(1)
    assert latencies.count == LATENCIES_KEPT_MAX + 5
    assert latencies.percentiles() == {"p50": 1, "p95": 1, "p99": 1}


@given(st.integers(-(2**63), 2**63))
def test_litres_are_written_to_the_unit(units):
    text = format_litres(units)
    whole, rest = text.split(".")
    assert len(rest) == 6
    assert int(whole + rest) == units or (units == 0)


def test_the_last_line_has_exactly_these_figures():
    assert json.loads(json.dumps(full_figures().summary())) == {
        "blocks": 1_203,
        "finality_ms": {"p50": 23, "p95": 41, "p99": 80},
        "minted_litres": "900.000000",
        "payments_validated": 1,
        "validate_ms": {"p50": 120, "p95": 120, "p99": 120},
        "welcomes": 1,
        "top_ups": 1,
        "refunds": 1_234,
        "coupons": 0,
        "points": 5,
        "supply_ok": True,
        "forks": 0,
    }


@pytest.mark.parametrize(("width", "height"), [(100, 30), (80, 24), (160, 50), (60, 16)])
def test_the_board_fits_its_terminal_and_always_shows_the_validators(width, height):
    lines = shown(draw(scene(full_figures()), width, height), width, height).splitlines()
    assert len(lines) <= height
    assert all(len(line) <= width for line in lines)
    assert all(any(f"node-{i}" in line for line in lines) for i in range(4))


def test_a_hundred_columns_and_thirty_lines_show_everything():
    text = shown(draw(scene(full_figures()), 100, 30), 100, 30)
    for part in (
        "1,203", "23 ms", "killed by SIGKILL", "holds", "✓ Paid", "ab12cd34",
        "http://127.0.0.1:8080/", "broker", "RM 3.6123/L",
    ):  # fmt: skip
        assert part in text


@pytest.mark.parametrize(("width", "height"), [(100, 30), (96, 24), (95, 24), (80, 24)])
def test_the_board_always_counts_what_was_done_for_people(width, height):
    text = shown(draw(scene(full_figures()), width, height), width, height)
    for name, count in (
        ("welcomes", "1"), ("top-ups", "1"), ("refunds", "1,234"), ("coupons", "0"),
        ("points", "5"),
    ):  # fmt: skip
        assert re.search(rf"{name} +{count}\b", text), name


def test_what_was_done_stands_among_the_purchases_and_points_are_counted_alone():
    text = shown(draw(scene(full_figures()), 100, 34), 100, 34)
    assert "of …XYZ" in text
    for outcome in ("✓ Welcome", "✓ Topped up", "✓ Returned"):
        assert outcome in text
    assert "✓ Free" not in text, "no coupon was used"
    assert len(full_figures().purchases) == 4


def test_a_line_without_a_board_counts_what_was_done():
    assert "refunds 1,234  coupons 0  points 5" in draw_line(scene(full_figures()))


def test_a_board_without_any_figure_yet_is_drawn():
    text = shown(draw(scene(Figures(0, fresh=True), phase="starting"), 100, 30), 100, 30)
    assert "waiting for the first purchase" in text
    assert "starting" in text


def test_a_broken_supply_is_said_aloud():
    figures = full_figures()
    figures.take_node("node-2", report(2_000, ok=False), 0)
    assert "BROKEN" in shown(draw(scene(figures), 100, 30), 100, 30)
    assert "BROKEN" in draw_line(scene(figures))


def test_the_plain_line_names_what_is_not_ready():
    assert "all ready" in draw_line(scene(full_figures()))
    assert "not ready: node-0, node-1" in draw_line(scene(full_figures(), "resting", 2))


def test_the_end_says_where_the_network_rests():
    assert "testnet" in shown(draw_end(scene(full_figures())), 100, 30)


PURCHASE = (
    b'{"at":"2026-04-10T08:15:23Z","shopper":0,"orderId":"01ABC","txHash":"ab","valid":true,'
    b'"latencyMs":140,"error":null}\n'
)


def test_only_purchases_of_this_run_are_read_and_only_whole_lines(tmp_path):
    record = tmp_path / PURCHASES_FILE
    record.write_bytes(PURCHASE * 3)
    tail = RecordTail(record, PurchaseRecord)
    assert tail.read() == []
    with record.open("ab") as file:
        file.write(PURCHASE + b"not json\n" + b'{"order": "\xff"}\n' + PURCHASE[:20])
    assert [purchase.latency_ms for purchase in tail.read()] == [140]
    with record.open("ab") as file:
        file.write(PURCHASE[20:])
    assert len(tail.read()) == 1
    assert tail.read() == []


def test_a_record_that_is_not_there_yet_has_no_purchases(tmp_path):
    assert RecordTail(tmp_path / PURCHASES_FILE, PurchaseRecord).read() == []


def test_a_chain_clock_that_is_ahead_is_told_and_the_usual_drift_is_not():
    figures = full_figures()
    assert "AHEAD" not in draw_line(scene(figures))
    for ahead_ms, told in ((1_900, False), (3_598_000, True)):
        figures.take_node("node-0", replace(report(1_300), clock_ahead_ms=ahead_ms), 5_000)
        assert ("CHAIN CLOCK 3598 s AHEAD" in draw_line(scene(figures))) is told
        drawn = shown(draw(scene(figures), 120, 40), 120, 40)
        assert ("chain clock 3,598 s ahead" in drawn) is told
