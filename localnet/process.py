"""One child process: how it is started, so that it cannot outlive its parent, and how it is ended."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from localnet.files import bound_log

Hook = Callable[[], Awaitable[None]]
Probe = Callable[[], Awaitable[bool]]

PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


async def _at_once() -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class ChildSpec:
    """What the supervisor needs to know about one process.

    ``group`` is the key under which its pid is published. ``prepare`` runs before every start (remove what a crash
    left), ``settle`` before the stop signal of an orderly stop (save what only the process knows). ``needs`` names
    what must be ready first. ``death_signal`` is what the kernel sends it when the supervisor dies.
    """

    name: str
    group: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    log: Path | None = None
    user: int | None = None
    user_group: int | None = None
    ready: Probe = _at_once
    prepare: Hook | None = None
    settle: Hook | None = None
    needs: tuple[str, ...] = ()
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    stop_timeout: float = 8.0
    ready_timeout: float = 60.0


def _die_with_parent(death_signal: int, parent: int) -> Callable[[], None]:
    """What the child runs between fork and exec. It only calls into libc: nothing here may take a lock."""

    def arrange() -> None:
        if _LIBC is not None:
            _LIBC.prctl(PR_SET_PDEATHSIG, death_signal)
        if os.getppid() != parent:  # the parent died before the call above could see it
            os._exit(1)

    return arrange


async def spawn(spec: ChildSpec) -> asyncio.subprocess.Process:
    """Starts the process as leader of its own session, with exactly the environment of the spec.

    A session of its own keeps a Ctrl-C on the terminal away from it (the supervisor decides the order of stopping)
    and gives its descendants a group that can be ended with it. Must run in the main thread: the death signal is
    tied to the thread that forks.
    """
    if spec.log is not None:
        bound_log(spec.log)
        spec.log.parent.mkdir(parents=True, exist_ok=True)
        output = os.open(spec.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    else:
        output = os.open(os.devnull, os.O_WRONLY)
    try:
        return await asyncio.create_subprocess_exec(
            *spec.argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(spec.env),
            cwd=spec.cwd,
            user=spec.user,
            group=spec.user_group,
            extra_groups=[] if spec.user is not None else None,
            start_new_session=True,
            preexec_fn=_die_with_parent(spec.death_signal, os.getpid()),
        )
    finally:
        os.close(output)


def end_group(leader: int) -> None:
    """Kills whatever is left of the process group of a leader that has ended."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


async def stop(process: asyncio.subprocess.Process, stop_signal: signal.Signals, timeout: float) -> None:
    """Asks the process to end, waits, kills it when it does not, and ends its group."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(stop_signal)
        try:
            async with asyncio.timeout(timeout):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    end_group(process.pid)


class Failed(Exception):
    """A command that should have succeeded did not; the message ends with what it wrote to stderr."""


async def run_to_end(argv: tuple[str, ...], env: Mapping[str, str], cwd: Path) -> str:
    """Runs one command and returns what it wrote to stdout."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        env=dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=_die_with_parent(signal.SIGKILL, os.getpid()),
    )
    try:
        out, err = await process.communicate()
    except BaseException:
        end_group(process.pid)
        await process.wait()
        raise
    if process.returncode != 0:
        said = err.decode(errors="replace").strip()[-4000:]
        raise Failed(f"{' '.join(argv)} ended with {process.returncode}\n{said}")
    return out.decode()


class Watchdog:
    """The helper process that ends our process groups if we are killed; see ``watchdog.py``."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        script = Path(__file__).with_name("watchdog.py")
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={},
        )

    def _tell(self, line: str) -> None:
        if self._process is None or self._process.stdin is None:
            return
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()

    def add(self, group: int) -> None:
        self._tell(f"+{group}\n")

    def remove(self, group: int) -> None:
        self._tell(f"-{group}\n")

    def close(self) -> None:
        """Lets the helper go; it ends at once because nothing is left on its list."""
        if self._process is None:
            return
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process.wait()
        self._process = None
