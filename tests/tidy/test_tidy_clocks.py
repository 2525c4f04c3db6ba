"""Who reads a wall clock, and why: spans, ages and waits are measured by clocks that nobody sets.

A wall clock is for dates alone. It may be set by an hour at any time; what measures a span by it
then waits for an hour, or gives up at once. A new use is listed here with the date that it makes.
"""

import ast

from tests.tidy.repository import ROOT, product, tree

READERS = {
    "time.time", "time.time_ns", "time.gmtime", "time.localtime", "time.strftime", "datetime.now",
    "datetime.utcnow", "datetime.today", "datetime.datetime.now", "datetime.datetime.utcnow",
}  # fmt: skip
ALLOWED = {
    "api/chain/node_watch.py": "dates of orders; how far a node is behind is judged by both clocks",
    "api/client/listening.py": "dates of signatures",
    "api/client/verifying.py": "the dates of signatures, which a receiver holds against its own",
    "api/signing/process/running.py": "the chain's time is held against it, and tokens end by it",
    "iot_minting/even_clock.py": "dates of readings and arrivals, which never run backwards",
    "loadtest/ingest.py": "dates of readings",
    "loadtest/payments.py": "makes a run's order names its own",
    "loadtest/report.py": "the date of a report",
    "node/cli/genesis.py": "the date of a genesis",
    "node/cli/proof.py": "a proof's age in dates: its block's time against ours",
    "node/home/lock.py": "since when a home has its owner",
    "node/pricefeed/service.py": "ages of quotes, beside the chain's time; waits have a steady one",
    "node/shell/rpc/backend.py": "how far chain time is ahead of this machine's date",
    "node/shell/service.py": "dates of blocks; waits have a clock of their own beside it",
    "simulator/dairy/asking.py": "dates of log lines",
    "simulator/dairy/record.py": "dates of purchases and deeds",
    "simulator/dairy/setup.py": "until when instruments are calibrated",
    "simulator/testnet/create.py": "dates of a genesis and its stock",
    "simulator/testnet/run.py": "the dates of a run's start and of its invented prices",
}


def test_wall_clocks_are_read_for_dates_alone():
    found = {
        path.relative_to(ROOT).as_posix()
        for path in product()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in READERS
    }
    assert found == set(ALLOWED)
