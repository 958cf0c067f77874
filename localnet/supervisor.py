"""Starts a set of processes in order, keeps them running, and leaves nothing behind.

Knows nothing about what it runs: ``ChildSpec`` says how a process is started, when it is ready and how it stops;
a ``Step`` is work that has to be done once between two starts (a migration, a deployment). Both name what they need
first, everything else happens at the same time.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from localnet.files import bound_log, tail
from localnet.process import ChildSpec, Failed, Hook, Watchdog, end_group, spawn, stop

FIRST_DELAY, LONGEST_DELAY = 0.1, 5.0
HEALTHY_AFTER = 10.0
PROBE_EVERY = 0.05
LOGS_EVERY = 60.0
DEATHS_AT_START = 3

Pids = dict[str, list[int]]


class StartError(Exception):
    """A process or step did not come up; the message ends with the last lines of its log."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """Work done once during the start, after what it needs."""

    name: str
    run: Hook
    needs: tuple[str, ...] = ()


class _Child:
    """One supervised process and the task that restarts it."""

    def __init__(self, spec: ChildSpec, owner: Supervisor) -> None:
        self.spec = spec
        self.process: asyncio.subprocess.Process | None = None
        self.deaths = 0
        self._owner = owner
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.error: str | None = None

    @property
    def pid(self) -> int | None:
        process = self.process
        return process.pid if process is not None and process.returncode is None else None

    def start(self) -> None:
        self._task = asyncio.create_task(self._keep_running(), name=f"supervise {self.spec.name}")

    async def _keep_running(self) -> None:
        delay = FIRST_DELAY
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                if self.spec.prepare is not None:
                    await self.spec.prepare()
                self.process = await spawn(self.spec)
                await self._watch(self.process)
            except Exception as error:  # noqa: BLE001 - whatever keeps it from starting, try again later
                self.error = f"{type(error).__name__}: {error}"
                self.deaths += 1
                self._owner.note(f"{self.spec.name} could not start: {self.error}")
            if self._stopping.is_set():
                return
            if time.monotonic() - began >= HEALTHY_AFTER:
                delay = FIRST_DELAY
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._stopping.wait()
            delay = min(delay * 2, LONGEST_DELAY)

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        self._owner.watchdog.add(process.pid)
        if self._stopping.is_set():  # asked to stop while it was being started
            await stop(process, self.spec.stop_signal, self.spec.stop_timeout)
        self._owner.changed(f"{self.spec.name} started as process {process.pid}")
        code = await process.wait()
        end_group(process.pid)
        self._owner.watchdog.remove(process.pid)
        self.deaths += 1
        if not self._stopping.is_set():
            self._owner.note(f"{self.spec.name} (process {process.pid}) ended with {code}, starting it again")

    async def until_ready(self) -> None:
        """Returns when the probe says yes; raises when the process keeps dying or takes too long."""
        deadline = time.monotonic() + self.spec.ready_timeout
        while True:
            if self.pid is not None and await self._probe() and self.pid is not None:
                return
            if self.deaths >= DEATHS_AT_START:
                raise StartError(self._explain(f"{self.spec.name} ended {self.deaths} times while starting"))
            if time.monotonic() > deadline:
                raise StartError(self._explain(f"{self.spec.name} not ready in {self.spec.ready_timeout:g} s"))
            await asyncio.sleep(PROBE_EVERY)

    async def _probe(self) -> bool:
        try:
            async with asyncio.timeout(5):  # not wait_for, which can swallow a cancellation
                return await self.spec.ready()
        except Exception as error:  # noqa: BLE001 - not answering yet is what a probe is for
            self.error = f"the last probe said {type(error).__name__}: {error}"
            return False

    def _explain(self, what: str) -> str:
        log = tail(self.spec.log) if self.spec.log is not None else ""
        return "\n".join(part for part in (what, self.error, str(self.spec.log or ""), log) if part)

    async def stop(self) -> None:
        self._stopping.set()
        await self.end()
        if self._task is not None:
            await self._task

    async def end(self) -> None:
        """An orderly end of the process; what it had to save first may fail, the end does not wait for that."""
        if self.spec.settle is not None and self.pid is not None:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(5):
                    await self.spec.settle()
        if self.process is not None:
            await stop(self.process, self.spec.stop_signal, self.spec.stop_timeout)


class Supervisor:
    """Runs children and steps; see the module. ``on_change`` gets the pids by group after every start."""

    def __init__(
        self,
        items: Sequence[ChildSpec | Step] = (),
        on_change: Callable[[Pids], None] | None = None,
        on_event: Callable[[str], None] | None = None,
    ) -> None:
        self.watchdog = Watchdog()
        self._items: dict[str, ChildSpec | Step] = {}
        self._children: dict[str, _Child] = {}
        self._on_change = on_change
        self._on_event = on_event
        self._up = False
        self._stop_requested = asyncio.Event()
        self._starting: asyncio.Task[None] | None = None
        self._log_task: asyncio.Task[None] | None = None
        for item in items:
            self.add(item)

    def add(self, item: ChildSpec | Step) -> None:
        """Adds one child or step; what it needs must have been added before."""
        missing = [need for need in item.needs if need not in self._items]
        if missing or item.name in self._items:
            raise ValueError(f"{item.name}: " + (f"unknown need {missing}" if missing else "added twice"))
        self._items[item.name] = item

    def pids(self) -> Pids:
        """The live processes by group, in the order in which they were added."""
        found: Pids = {}
        for child in self._children.values():
            if child.pid is not None:
                found.setdefault(child.spec.group, []).append(child.pid)
        return found

    def note(self, text: str) -> None:
        if self._on_event is not None:
            self._on_event(text)

    def changed(self, text: str) -> None:
        self.note(text)
        if self._up and self._on_change is not None:
            self._on_change(self.pids())

    async def start(self) -> None:
        """Brings everything up and returns when all of it is ready; on failure stops what had started.

        A stop request during the start ends it with ``CancelledError``, everything stopped.
        """
        self.watchdog.start()
        done = {name: asyncio.Event() for name in self._items}
        self._starting = asyncio.current_task()
        try:
            async with asyncio.TaskGroup() as group:
                for item in self._items.values():
                    group.create_task(self._bring_up(item, done), name=f"start {item.name}")
        except BaseExceptionGroup as failure:
            await self.stop()
            raise _first(failure) from None
        except BaseException:
            await self.stop()
            raise
        finally:
            self._starting = None
        self._up = True
        self._log_task = asyncio.create_task(self._bound_logs(), name="bound logs")
        if self._on_change is not None:
            self._on_change(self.pids())

    async def _bring_up(self, item: ChildSpec | Step, done: Mapping[str, asyncio.Event]) -> None:
        for need in item.needs:
            await done[need].wait()
        began = time.monotonic()
        if isinstance(item, Step):
            try:
                await item.run()
            except Failed as failure:
                raise StartError(f"{item.name}: {failure}") from failure
        else:
            child = self._children[item.name] = _Child(item, self)
            child.start()
            await child.until_ready()
        self.note(f"{item.name} ready after {time.monotonic() - began:.2f} s")
        done[item.name].set()

    async def _bound_logs(self) -> None:
        while True:
            await asyncio.sleep(LOGS_EVERY)
            for child in self._children.values():
                if child.spec.log is not None:
                    bound_log(child.spec.log)

    async def restart(self, name: str) -> None:
        """Ends one child in an orderly way; its own task starts it again."""
        await self._children[name].end()

    def request_stop(self) -> None:
        """Makes ``run_until_stopped`` return, or a start that is under way fail; for signal handlers of the loop."""
        if self._starting is not None and not self._stop_requested.is_set():
            self._starting.cancel()
        self._stop_requested.set()

    def handle_signals(self) -> None:
        """SIGINT, SIGTERM and SIGHUP ask for an orderly stop; one that was set to be ignored (nohup) stays ignored."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self.request_stop)

    async def run_until_stopped(self) -> None:
        """Waits for a stop request."""
        await self._stop_requested.wait()

    async def stop(self) -> None:
        """Stops every child, those that need others first, and the helpers."""
        self._up = False
        if self._log_task is not None:
            self._log_task.cancel()
        for layer in reversed(self._layers()):
            await asyncio.gather(*(child.stop() for child in layer))
        self.watchdog.close()

    def _layers(self) -> list[list[_Child]]:
        """The started children by depth of what they need: nothing in a layer needs another of it."""
        depth: dict[str, int] = {}
        for name, item in self._items.items():
            depth[name] = 1 + max((depth[need] for need in item.needs), default=0)
        layers: dict[int, list[_Child]] = {}
        for name, child in self._children.items():
            layers.setdefault(depth[name], []).append(child)
        return [layers[level] for level in sorted(layers)]


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first single exception of a group: one clear message instead of a tree."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
