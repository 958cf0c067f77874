"""`make demo`: bring up the embedded stack in a temporary directory, play the demo on it, take it down again.

`python -m cli.make_demo [--keep]`; with --keep the stack stays until Ctrl-C. The exit code is the demo's.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

START_PATIENCE_S = 120
STOP_PATIENCE_S = 40


@contextlib.contextmanager
def running_stack(directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`holdfast up` as a child; stopped the way Ctrl-C stops it."""
    child = subprocess.Popen([sys.executable, "-m", "cli.main", "up", "--data-dir", str(directory)])
    try:
        deadline = time.monotonic() + START_PATIENCE_S
        while not (directory / "endpoints.json").exists():
            if child.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the stack did not start; its logs are in {directory}/logs")
            time.sleep(0.1)
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(signal.SIGTERM)
        try:
            child.wait(STOP_PATIENCE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def main() -> int:
    keep = "--keep" in sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="holdfast-demo-", ignore_cleanup_errors=True) as name:
        directory = Path(name) / "data"
        with running_stack(directory) as stack:
            code = subprocess.call([sys.executable, "-m", "cli.main", "demo", "--data-dir", str(directory)])
            if keep:
                with contextlib.suppress(KeyboardInterrupt):
                    stack.wait()
    return code


if __name__ == "__main__":
    sys.exit(main())
