"""Workers count together: sums outlive whoever counted, what was shown goes with who showed it."""

import os
import subprocess
import sys
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from api.workers.counting import NOTE_FILE, PREFIX, forget_gauges, shared_counts

WORKER = """
import sys
from api.workers.counting import count_as
count_as(int(sys.argv[1]))
from api.metrics import Metrics
metrics = Metrics()
for _ in range(int(sys.argv[2])):
    metrics.orders.inc()
    metrics.validation_latency.observe(2.5)
metrics.lag.set(int(sys.argv[2]))
metrics.ready.labels("node").set(int(sys.argv[2]) < 5)
sys.stdout.buffer.write(metrics.render())
"""


def counted_by(folder: Path, number: int, times: int) -> dict[tuple[str, str], float]:
    """Let a worker count so often and end; give what it tells of all."""
    told = subprocess.run(
        [sys.executable, "-c", WORKER, str(number), str(times)],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return {
        (sample.name, sample.labels.get("le", sample.labels.get("part", ""))): sample.value
        for family in text_string_to_metric_families(told)
        for sample in family.samples
    }


def test_sums_are_of_all_and_outlive_whoever_counted_and_gauges_go_with_their_worker(
    tmp_path: Path,
) -> None:
    counted_by(tmp_path, 0, 7)
    told = counted_by(tmp_path, 1, 3)
    assert told["orders_created_total", ""] == 10
    assert told["validation_latency_seconds_bucket", "3.0"] == 10
    assert told["validation_latency_seconds_bucket", "2.0"] == 0
    assert (told["follower_lag_blocks", ""], told["workers", ""]) == (7, 2)
    assert told["service_ready", "node"] == 0, "one of them isn't"
    forget_gauges(tmp_path, 0)
    files = len(list(tmp_path.iterdir()))
    told = counted_by(tmp_path, 0, 4)
    assert told["orders_created_total", ""] == 14, "who bears its number counts on"
    assert (told["follower_lag_blocks", ""], told["workers", ""]) == (4, 2)
    assert told["service_ready", "node"] == 1
    forget_gauges(tmp_path, 0)
    assert len(list(tmp_path.iterdir())) == files, "files stay as many as workers"


def test_what_a_killed_service_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    left, foreign = tmp_path / f"{PREFIX}left", tmp_path / "foreign"
    for folder in (left, foreign):
        folder.mkdir()
        (tmp_path / NOTE_FILE).write_text(str(folder), "utf-8")
        with shared_counts(tmp_path) as lent:
            assert lent.stat().st_mode & 0o077 == 0
            assert (tmp_path / NOTE_FILE).read_text("utf-8") == str(lent)
        assert not lent.exists()
        assert not (tmp_path / NOTE_FILE).exists()
    assert not left.exists()
    assert foreign.exists()
