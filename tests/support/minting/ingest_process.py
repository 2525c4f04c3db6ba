"""An ingest in a process of its own, to be killed at the worst moment.

Arguments: broker port, store file, chain id, the ingest's seed, the devices as JSON, the group
to share under, and after how many commits to die by SIGKILL, before anything is acknowledged.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

from iot_minting.gateway.archive import Archive
from iot_minting.gateway.ingest import Ingest
from iot_minting.gateway.linking import LinkJudge
from iot_minting.gateway.registry import Registry
from iot_minting.gateway.subscription import Subscription
from iot_minting.gateway.types import RegisteredDevice
from iot_minting.wire.topics import shared_filter
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
    port, path, chain_id, seed, devices, group, commits = sys.argv[1:]
    FatalArchive.commits_left = int(commits)
    known = [
        RegisteredDevice(bytes.fromhex(key), Instrument(kind), plant, bytes.fromhex(operator))
        for key, kind, plant, operator in json.loads(devices)
    ]
    subscription = Subscription("test-ingest", [shared_filter(group)], persistent=not group)
    kept = FatalArchive(Path(path))
    ingest = Ingest(
        bytes.fromhex(chain_id),
        SigningKey(bytes.fromhex(seed)),
        LinkJudge(bytes.fromhex(chain_id), Registry(known), kept, kept.ends()),
        kept,
        subscription,
    )
    subscription.start("127.0.0.1", int(port))
    ingest.start()
    print("ready", flush=True)
    while not ingest.failed:
        time.sleep(0.05)


if __name__ == "__main__":
    main()
