"""Small files of a data directory: atomic writes, private files, bounded logs, the lock of one running stack."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def write_atomically(path: Path, data: bytes, mode: int = 0o600, *, durable: bool = False) -> None:
    """A reader sees the old file or the new one, never half of one. ``durable`` survives a power cut as well."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        os.fchmod(descriptor, mode)
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(data)
            if durable:
                handle.flush()
                os.fsync(descriptor)
        os.replace(fresh, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            fresh.unlink()
        raise


def write_json(path: Path, value: Any, *, durable: bool = False) -> None:
    """Writes ``value`` as indented JSON, atomically and readable by the owner only."""
    write_atomically(path, (json.dumps(value, indent=1) + "\n").encode(), durable=durable)


def read_json(path: Path) -> Any:
    """The JSON value of ``path``, or None when there is no such file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def bound_log(path: Path, limit: int = 8 * 2**20, keep: int = 2**20) -> None:
    """Keeps only the last ``keep`` bytes of a log that has passed ``limit``.

    The file is cut in place, so a process that has it open for appending goes on writing to it.
    """
    try:
        if path.stat().st_size <= limit:
            return
        with path.open("rb+") as handle:
            handle.seek(-keep, os.SEEK_END)
            rest = handle.read().partition(b"\n")[2]
            handle.seek(0)
            handle.truncate()
            handle.write(b"[earlier lines dropped]\n" + rest)
    except FileNotFoundError:
        return


def append_line(path: Path, text: str) -> None:
    """Adds one line with the time in UTC to a log."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as handle:
        handle.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}Z {text}\n")


def tail(path: Path, lines: int = 20) -> str:
    """The last lines of a log, for an error message."""
    try:
        with path.open("rb") as handle:
            handle.seek(0, os.SEEK_END)
            handle.seek(max(0, handle.tell() - 16_384))
            text = handle.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


class InUse(Exception):
    """Another process holds the data directory."""


class DirectoryLock:
    """An exclusive ``flock`` on a file of the data directory, held for the life of one stack.

    The kernel drops it when the process ends, however it ends, so there is nothing to clean up.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / "up.lock"
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Takes the lock or raises ``InUse``, naming the process that holds it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            who = f"process {holder}" if holder else "another process"
            raise InUse(f"{self._path.parent} is in use by {who}") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Gives the lock back; the file stays, because removing it would race with the next holder."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
