"""One worker: a process that serves at the port which `parent` holds. Nobody else starts it.

Ctrl-C and a lost terminal reach the whole group of processes, and are the parent's to hear: so
nothing else is loaded before they are turned off here.
"""

import signal
import sys
from pathlib import Path


def main() -> None:
    """Serve until told to end; the exit code is a `WorkerEnd`."""
    for theirs in (signal.SIGINT, signal.SIGHUP):
        signal.signal(theirs, signal.SIG_IGN)
    from api.workers.shift import work

    home, handle, number, patience = sys.argv[1:]
    sys.exit(work(Path(home), int(handle), int(number), patience))


if __name__ == "__main__":
    main()
