"""Figures, tables and plots: what is measured is shown as it was."""

import os
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.plots import Plot, draw, draw_all, nice_steps
from loadtest.report import Computer, Report, figure, load, save, short, table
from loadtest.statistics import percentile, summarize

SAMPLES = st.lists(st.floats(0, 1e9), min_size=1, max_size=200)
MACHINE = Computer("chip", 2, 1024, "Linux", "3.11", {}, "abc", 0, (0.1, 0.2, 0.3))


@given(SAMPLES)
def test_a_summary_is_made_of_samples_and_its_parts_are_in_order(samples):
    summary = summarize(samples)
    parts = [summary.least, summary.p5, summary.median, summary.p95, summary.p99, summary.most]
    assert parts == sorted(parts)
    assert set(parts) <= set(samples)
    assert summary.n == len(samples)


def test_percentiles_are_by_nearest_rank():
    ordered = [1.0, 2.0, 3.0, 4.0]
    assert [percentile(ordered, p) for p in (1, 25, 26, 50, 75, 100)] == [1, 1, 2, 2, 3, 4]


def test_a_report_is_read_back_as_it_was_written(tmp_path):
    one = figure("name", "ms", [3.0, 1.0, 2.0], cpu_us={"node": 5.0}, goal="<= 2 ms")
    report = Report("suite", MACHINE, [one], {"line": [{"x": 1.0, "y": 2.0}]})
    path = save(report, tmp_path)
    assert load(path) == report
    assert report.load_after == pytest.approx(os.getloadavg(), abs=5)


def test_a_table_shows_median_spread_count_cpu_and_goal():
    report = Report("suite", MACHINE, [figure("f", "us", [5.0, 1.0, 9.0], goal="<= 6")])
    last = table(report).splitlines()[-1].split()
    assert last == ["f", "5.00", "us", "1.00", "..", "9.00", "3", "<=", "6"]


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (1234.5, "1,234"), (12.34, "12.3")])
def test_a_number_is_short(value, text):
    assert short(value) == text


@given(st.floats(1e-3, 1e9))
def test_ticks_begin_at_zero_and_reach_the_largest_value(most):
    ticks = nice_steps(most)
    assert ticks[0] == 0
    assert ticks[-1] >= most * 0.999
    assert len(ticks) <= 7


def test_a_plot_is_an_image_with_a_line_for_each_series():
    lines = {"a & b": [(1, 1), (10, 5)], "c": [(1, 2), (100, 3)]}
    root = ElementTree.fromstring(draw(Plot("title", "x", "y", lines, log_x=True)))
    drawn = [part for part in root.iter() if part.tag.endswith("polyline")]
    assert len(drawn) == 2


def test_reports_without_points_draw_nothing(tmp_path):
    save(Report("system", MACHINE, []), tmp_path)
    assert draw_all(tmp_path, tmp_path / "plots") == []
