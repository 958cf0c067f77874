"""Container health probe: `probe.py URL [--restart-after N]` exits 0 when the URL answers 200.

Docker restarts what exits, never what is merely unhealthy, and a worker whose pollers died looks alive. So after N
failures in a row the probe asks the container's main process to stop, and `restart: always` brings it back.
"""

import argparse
import os
import signal
import sys
import urllib.request
from pathlib import Path


def healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=4) as answer:
            return bool(answer.status == 200)
    except OSError:  # refused, timed out, or an HTTP error: all mean "not healthy"
        return False


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--restart-after", type=int, default=0, help="failures in a row; 0: never")
    parser.add_argument("--pid", type=int, default=1)
    parser.add_argument("--state", type=Path, default=Path("/tmp/probe-failures"))  # tmpfs: gone after a restart
    args = parser.parse_args()
    if healthy(args.url):
        args.state.unlink(missing_ok=True)
        return 0
    failures = int(args.state.read_text()) + 1 if args.state.exists() else 1
    args.state.write_text(str(failures))
    if args.restart_after and failures >= args.restart_after:
        os.kill(args.pid, signal.SIGTERM)  # graceful: running activities get their time to end
    return 1


if __name__ == "__main__":
    sys.exit(main())
