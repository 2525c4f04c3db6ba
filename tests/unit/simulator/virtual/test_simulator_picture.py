"""The picture says why a view failed: in the lane below, in the table, and under the pointer."""

import re

import pytest

from simulator.virtual.picture.drawing import draw
from simulator.virtual.picture.narrative import summarize_views
from simulator.virtual.scenarios import find
from simulator.virtual.simulation import Simulation


@pytest.fixture(scope="module")
def crashed() -> Simulation:
    """A seed of crashes in which some views fail."""
    for seed in range(1, 20):
        simulation = Simulation(find("crashes", seed), seed, recording=True)
        simulation.run()
        if any(summary.outcome == "nullified" for summary in summarize_views(simulation)):
            return simulation
    raise AssertionError("twenty seeds of crashes, and no view failed")


def test_every_view_that_failed_has_a_reason(crashed: Simulation) -> None:
    for summary in summarize_views(crashed):
        assert bool(summary.why) == (summary.outcome != "final")


def test_who_did_not_notarize_a_proposed_block_is_named(crashed: Simulation) -> None:
    for summary in summarize_views(crashed):
        if summary.outcome != "nullified" or summary.proposed_ms is None:
            continue
        notarized = summary.signed_ms.get("notarize", {})
        named = {int(place) for why in summary.why for place in re.findall(r"\bv(\d+)", why)}
        assert {process.place for process in crashed.processes} - set(notarized) <= named


def test_a_failed_view_is_found_by_a_button_a_label_and_a_row(crashed: Simulation) -> None:
    twin = Simulation(crashed.scenario, crashed.seed, recording=True)
    page = draw(twin, twin.run())
    failed = [s.view for s in summarize_views(twin) if s.outcome not in ("final", "open")]
    assert failed
    for view in failed:
        assert f'data-to="{view}"' in page
        assert f'<g class="reason" data-v="{view}">' in page
        assert f'<tr data-view="{view}"' in page
    assert "prefers-color-scheme:dark" in page
    assert not re.search(r"(src|href)=|@import|url\(", page), "it needs no other file"


def test_votes_that_are_kept_as_evidence_are_not_drawn_as_ones_own() -> None:
    simulation = Simulation(find("mock-nuller", 3), 3, recording=True)
    simulation.run()
    kept = [entry for entry in simulation.trace.entries if entry.kind == "keeps"]
    assert kept
    honest = {p.place for p in simulation.processes} - set(simulation.roles.liars)
    for summary in summarize_views(simulation):
        finalized = summary.signed_ms.get("finalize", {}).keys() & honest
        assert not finalized & summary.signed_ms.get("nullify", {}).keys()
