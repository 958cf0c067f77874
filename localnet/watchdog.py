"""Ends the process groups of a supervisor that was killed.

Linux tells a child that its parent died (PR_SET_PDEATHSIG), but not the children of that child, and other
systems tell nobody. This script is started by the supervisor with one end of a pipe as its stdin. Lines
``+123`` and ``-123`` add and remove a process group; the pipe closes when the supervisor ends, and what is still
on the list then is killed. It imports nothing but the standard library's smallest part to stay under 10 MB.
"""

import os
import signal
import sys
import time

GRACE_SECONDS = 2.0


def alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def finish(groups: set[int]) -> None:
    """Gives the groups the time to follow the signal they got when their parent died, then kills the rest."""
    deadline = time.monotonic() + GRACE_SECONDS
    while groups and time.monotonic() < deadline:
        groups = {group for group in groups if alive(group)}
        time.sleep(0.05)
    for group in groups:
        try:
            os.killpg(group, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue


def main() -> None:
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        if line[0] == "+":
            groups.add(group)
        else:
            groups.discard(group)
    finish(groups)


if __name__ == "__main__":
    main()
