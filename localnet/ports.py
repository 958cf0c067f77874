"""Free TCP ports for the embedded servers, remembered between runs of one data directory."""

from __future__ import annotations

import random
import socket
from pathlib import Path

from localnet.files import read_json, write_json

# Below the range the kernel takes source ports from (32768 and up on Linux, 49152 on macOS). A client that keeps
# dialling a dead server on a port of that range can be given that very port as its own source port, connect to
# itself, and keep the server from binding it again.
LOW, HIGH = 15_000, 32_000
HOST = "127.0.0.1"


def is_free(port: int) -> bool:
    """True when nothing listens on the port; connections of an earlier listener may still be closing."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port(taken: set[int] | None = None) -> int:
    """A random free port that is not in ``taken``.

    Random and not the first free one, so that two stacks that start at the same time do not pick the same.
    """
    taken = taken or set()
    for _ in range(500):
        port = random.SystemRandom().randrange(LOW, HIGH)
        if port not in taken and is_free(port):
            return port
    raise OSError(f"no free port between {LOW} and {HIGH}")


class PortBook:
    """The ports of one data directory: the same name gets the same port again while it is still free."""

    def __init__(self, path: Path) -> None:
        self._path = path
        remembered = read_json(path) or {}
        self._remembered: dict[str, int] = {str(name): int(port) for name, port in remembered.items()}
        self._given: dict[str, int] = {}

    def take(self, name: str) -> int:
        """The port of ``name``, fixed from now on."""
        if name not in self._given:
            port = self._remembered.get(name)
            if port is None or port in self._given.values() or not is_free(port):
                port = free_port(set(self._given.values()) | set(self._remembered.values()))
            self._given[name] = port
        return self._given[name]

    def save(self) -> None:
        """Remembers the ports given so far."""
        write_json(self._path, {**self._remembered, **self._given})
