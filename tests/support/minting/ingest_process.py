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

from iot_minting.gateway.ingest import Ingest
from iot_minting.gateway.judgement import Gateway
from iot_minting.gateway.registry import Registry
from iot_minting.gateway.store import Store
from iot_minting.gateway.subscription import Subscription
from iot_minting.gateway.types import RegisteredDevice
from iot_minting.wire.topics import shared_filter
from ledger.primitives.keys import SigningKey
from ledger.types.evidence import Instrument


class FatalStore(Store):
    """A store whose process dies right after a commit."""

    commits_left = 0

    def record(self, verdicts):
        super().record(verdicts)
        FatalStore.commits_left -= 1
        if FatalStore.commits_left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    port, path, chain_id, seed, devices, group, commits = sys.argv[1:]
    FatalStore.commits_left = int(commits)
    known = [
        RegisteredDevice(
            bytes.fromhex(key), Instrument(kind), plant, bytes.fromhex(operator), until_ms
        )
        for key, kind, plant, operator, until_ms in json.loads(devices)
    ]
    store = Store(Path(path))
    store.save_registry(known, 0)
    store.close()
    subscription = Subscription("test-ingest", [shared_filter(group)], persistent=not group)
    kept = FatalStore(Path(path))
    ingest = Ingest(
        bytes.fromhex(chain_id),
        SigningKey(bytes.fromhex(seed)),
        Gateway(
            bytes.fromhex(chain_id), Registry(known), kept.digest_of, kept.heads(), kept.tampered()
        ),
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
