"""The embedded Postgres: a real server, on loopback, with durable commits and a small memory.

The cluster lies in ``DIRECTORY/data`` and its password in ``DIRECTORY/password`` (0600). The server process is a
direct child in the foreground, so its pid is known. A SIGKILL of it is survived by starting it again: ``prepare``
first waits for (then ends) the backends it left, and drops a ``postmaster.pid`` whose number now belongs to another
program. As root the server runs as another user, see ``pg_binaries.py``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import struct
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from localnet.files import write_atomically
from localnet.pg_binaries import Binaries, locate
from localnet.ports import HOST
from localnet.process import ChildSpec

ROLE = "holdfast"
DATABASE = "holdfast"
ORPHAN_GRACE = 0.3

# Memory first: the whole idle stack has to stay under 1.2 GiB. Durability is left at its safest.
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "shared_buffers": "64MB",
    "wal_buffers": "4MB",
    "work_mem": "4MB",
    "maintenance_work_mem": "32MB",
    "min_wal_size": "32MB",
    "max_wal_size": "512MB",
    "wal_level": "minimal",  # nobody replicates from it; backups are dumps
    "max_wal_senders": "0",
    "jit": "off",
    "io_method": "sync",  # no I/O worker processes
    "max_worker_processes": "4",
    "max_parallel_workers": "0",  # two cores, short queries; and no /dev/shm, which containers keep small
    "max_parallel_workers_per_gather": "0",
    "autovacuum_max_workers": "2",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    "log_startup_progress_interval": "0",
    "password_encryption": "scram-sha-256",
}


@dataclass
class Postgres:
    """One embedded server. ``durable=False`` gives up fsync, for tests that never cut the power."""

    directory: Path
    port: int
    durable: bool = True

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def binaries(self) -> Binaries:
        return locate()

    @property
    def password(self) -> str:
        """Made at the first use and kept; readable by the owner of the stack only."""
        path = self.directory / "password"
        if not path.exists():
            self.directory.mkdir(parents=True, exist_ok=True)
            write_atomically(path, secrets.token_urlsafe(24).encode(), durable=True)
        return path.read_text(encoding="ascii")

    def dsn(self, database: str = DATABASE) -> str:
        return f"postgresql://{ROLE}:{self.password}@{HOST}:{self.port}/{database}"

    async def prepare(self) -> None:
        """Creates the cluster at the first start, clears what a killed server left at later ones."""
        if not (self.data / "PG_VERSION").exists():
            await asyncio.to_thread(self._create)
        elif (self.data / "postmaster.pid").exists():
            await asyncio.to_thread(clear_orphans, self.data)

    async def ready(self) -> bool:
        return await accepts_connections(self.port, ROLE, DATABASE)

    def child(self, log: Path | None, needs: tuple[str, ...] = ()) -> ChildSpec:
        """How the supervisor runs it. SIGINT is Postgres' fast shutdown: sessions end, a checkpoint is written."""
        account = self.binaries.account
        settings = SETTINGS if self.durable else {**SETTINGS, "fsync": "off", "full_page_writes": "off"}
        if _major(self.binaries) < 18:
            settings = {key: value for key, value in settings.items() if key != "io_method"}
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return ChildSpec(
            name="postgres",
            group="postgres",
            argv=(str(self.binaries.bin / "postgres"), "-D", self._name(self.data), "-p", str(self.port), *options),
            env=_environment(),
            cwd=self.data,
            log=log,
            user=account.uid if account else None,
            user_group=account.gid if account else None,
            ready=self.ready,
            prepare=self.prepare,
            needs=needs,
            stop_signal=signal.SIGINT,
            death_signal=signal.SIGINT,
            stop_timeout=15.0,
        )

    def _name(self, directory: Path) -> str:
        """What a process whose working directory this is calls it: a name that needs no rights on its parents."""
        return "/proc/self/cwd" if self.binaries.account else str(directory)

    def _create(self) -> None:
        """initdb in a directory beside the final one, so that a kill half way leaves no half cluster."""
        binaries, account = self.binaries, self.binaries.account
        fresh = self.directory / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True, mode=0o700)
        if account is not None:
            os.chown(fresh, account.uid, account.gid)
        locale = ["--locale=C.UTF-8"]
        if _major(binaries) >= 17:  # the built-in one sorts the same on every system
            locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        self._run(
            fresh,
            [str(binaries.bin / "initdb"), "-D", self._name(fresh), "-U", ROLE, "--encoding=UTF8", *locale]
            + ["--auth-local=trust", "--auth-host=scram-sha-256", "--no-instructions"]
            + ([] if self.durable else ["--no-sync"]),
        )
        # Single-user mode, so that the server never listens before it has a password.
        self._run(
            fresh,
            [str(binaries.bin / "postgres"), "--single", "-D", self._name(fresh), "template1"],
            f"ALTER USER {ROLE} PASSWORD '{self.password}'\nCREATE DATABASE {DATABASE}\n",
        )
        fresh.rename(self.data)

    def _run(self, directory: Path, command: list[str], stdin: str = "") -> None:
        account = self.binaries.account
        done = subprocess.run(
            command,
            cwd=directory,
            input=stdin,
            text=True,
            capture_output=True,
            env=_environment(),
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            check=False,
        )
        if done.returncode != 0 or "ERROR:" in done.stderr or "FATAL:" in done.stderr:
            raise RuntimeError(f"{Path(command[0]).name} failed: {done.stderr.strip() or done.stdout.strip()}")


def _major(binaries: Binaries) -> int:
    done = subprocess.run([str(binaries.bin / "postgres"), "--version"], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1].split(".")[0])


def _environment() -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC"}


def backends_of(data: Path) -> list[psutil.Process]:
    """The Postgres processes of a cluster: every one of them has its data directory as working directory."""
    found = []
    for process in psutil.process_iter(["name"]):
        if process.info["name"] == "postgres":
            with contextlib.suppress(psutil.Error):
                if Path(process.cwd()) == data:
                    found.append(process)
    return found


def clear_orphans(data: Path) -> None:
    """After a killed server: waits for its backends, ends those that linger, drops its pid file.

    A new server refuses to start while one of them is attached to the old shared memory, and while the number in
    ``postmaster.pid`` is that of any living process of the same user. Killing is safe: the server is gone, so the next
    start replays the log in any case. The caller holds the lock of the data directory, so this is no living server
    of somebody else.
    """
    data = data.resolve()
    deadline = time.monotonic() + ORPHAN_GRACE
    while (left := backends_of(data)) and time.monotonic() < deadline:
        time.sleep(0.02)
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.kill()
    deadline = time.monotonic() + 5
    while left and backends_of(data) and time.monotonic() < deadline:  # a zombie has no directory and does not count
        time.sleep(0.01)
    (data / "postmaster.pid").unlink(missing_ok=True)


async def accepts_connections(port: int, user: str, database: str) -> bool:
    """Sends a start-up packet: a ready server asks for a password, one that is still recovering answers an error."""
    try:
        reader, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    try:
        body = struct.pack("!i", 196_608) + b"".join(
            part.encode() + b"\0" for part in ("user", user, "database", database, "")
        )
        writer.write(struct.pack("!i", len(body) + 4) + body)
        return await reader.readexactly(1) == b"R"
    except (OSError, asyncio.IncompleteReadError):
        return False
    finally:
        writer.close()
