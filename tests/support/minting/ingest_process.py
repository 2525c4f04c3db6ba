"""An ingest in a process of its own, to be killed at the worst moment.

Arguments: broker port, store file, chain id, the ingest's seed, the devices as JSON, and
after how many commits to die by SIGKILL, before anything is acknowledged.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

from iot_minting.gateway.archive import Archive
from iot_minting.gateway.duty import Duty
from iot_minting.gateway.ingest import Ingest
from iot_minting.gateway.linking import LinkJudge
from iot_minting.gateway.receipting import Receipts
from iot_minting.gateway.registry import Registry
from iot_minting.gateway.subscription import Subscription
from iot_minting.gateway.types import RegisteredDevice
from iot_minting.wire.topics import readings_filter
from ledger.primitives.keys import SigningKey
from ledger.types.evidence import Instrument


class FatalArchive(Archive):
    """An archive whose process dies right after a commit."""

    commits_left = 0

    def record(self, verdicts):
        super().record(verdicts)
        FatalArchive.commits_left -= 1
        if FatalArchive.commits_left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    port, path, chain_id, seed, devices, commits = sys.argv[1:]
    FatalArchive.commits_left = int(commits)
    known = [
        RegisteredDevice(bytes.fromhex(key), Instrument(kind), plant, bytes.fromhex(operator))
        for key, kind, plant, operator in json.loads(devices)
    ]
    subscription = Subscription("test-ingest", [readings_filter()])
    kept = FatalArchive(Path(path))
    chain = bytes.fromhex(chain_id)
    judge = LinkJudge(chain, Registry(known), kept, kept.ends())
    key = SigningKey(bytes.fromhex(seed))
    receipts = Receipts(chain, key, judge, subscription.publish, Duty())
    ingest = Ingest(judge, kept, subscription, receipts)
    subscription.start("127.0.0.1", int(port))
    ingest.start()
    print("ready", flush=True)
    while not ingest.failed:
        time.sleep(0.05)


if __name__ == "__main__":
    main()
