"""The supervisor with small children: order, restarts, orderly ends, and no process left behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from localnet.files import DirectoryLock, InUse, bound_log, tail, write_json
from localnet.ports import PortBook, free_port, is_free
from localnet.process import ChildSpec, Failed, run_to_end
from localnet.supervisor import StartError, Step, Supervisor
from tests.localnet.conftest import eventually

SLEEPER = """
import time
while True: time.sleep(60)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('deaf', flush=True)
while True: time.sleep(60)
"""
PARENT = """
import subprocess, time
print(subprocess.Popen(['sleep', '300']).pid, flush=True)
while True: time.sleep(60)
"""
MORTAL = """
import os, sys, time
print('born', time.time(), flush=True)
while os.path.exists({path!r}): time.sleep(0.01)
sys.exit(3)
"""
ROOT = Path(__file__).resolve().parents[2]


def python(name: str, code: str, log: Path | None = None, **more: object) -> ChildSpec:
    argv = (sys.executable, "-I", "-S", "-c", code)
    return ChildSpec(name=name, group=name.split("-")[0], argv=argv, env={"X": "1"}, log=log, **more)  # type: ignore[arg-type]


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def test_starts_in_order_publishes_pids_and_restarts(folder: Path) -> None:
    order: list[str] = []
    published: list[dict[str, list[int]]] = []

    async def step() -> None:
        order.append("step")

    async def prepared() -> None:
        order.append("prepare second")

    supervisor = Supervisor(on_change=published.append)
    supervisor.add(python("first-1", SLEEPER))
    supervisor.add(python("first-2", SLEEPER))
    supervisor.add(Step(name="between", run=step, needs=("first-1",)))
    supervisor.add(python("second", SLEEPER, prepare=prepared, needs=("between",)))
    with pytest.raises(ValueError, match="unknown need"):
        supervisor.add(python("third", SLEEPER, needs=("nobody",)))
    await supervisor.start()
    try:
        assert order == ["step", "prepare second"]
        assert len(published) == 1, "nothing is published before all of it is ready"
        pids = published[0]
        assert (len(pids["first"]), len(pids["second"])) == (2, 1)
        os.kill(pids["first"][0], signal.SIGKILL)
        await eventually(lambda: len(published) == 2)
        assert published[1]["first"][1] == pids["first"][1]
        assert published[1]["first"][0] != pids["first"][0]
        assert len(published[1]["first"]) == 2
    finally:
        await supervisor.stop()
    assert all(gone(pid) for found in (*pids.values(), *published[1].values()) for pid in found)


async def test_backs_off_from_a_child_that_keeps_dying(folder: Path) -> None:
    log = folder / "dying.log"
    notes: list[str] = []
    alive = folder / "alive"
    alive.touch()
    code = MORTAL.format(path=str(alive))
    supervisor = Supervisor([python("dying", code, log)], on_event=notes.append)
    await supervisor.start()
    alive.unlink()
    await eventually(lambda: log.read_text().count("born") >= 4)
    await supervisor.stop()
    born = [float(line.split()[1]) for line in log.read_text().splitlines() if line.startswith("born")]
    pauses = [later - earlier for earlier, later in pairwise(born[:4])]
    assert all(pause >= least for pause, least in zip(pauses, (0.1, 0.2, 0.4), strict=True)), pauses
    assert any("ended with 3" in note for note in notes)


async def test_a_start_that_fails_explains_itself_and_stops_the_rest(folder: Path) -> None:
    good = python("good", SLEEPER)
    bad = python("bad", "print('no such database', flush=True); raise SystemExit(1)", folder / "bad.log", ready=never)
    supervisor = Supervisor([good, bad])
    with pytest.raises(StartError, match="no such database"):
        await supervisor.start()
    assert supervisor.pids() == {}
    slow = Supervisor([python("slow", SLEEPER, ready=never, ready_timeout=0.3)])
    with pytest.raises(StartError, match=r"not ready in 0\.3 s"):
        await slow.start()

    async def failing() -> None:
        await run_to_end((sys.executable, "-c", "raise SystemExit('boom')"), {}, folder)

    with pytest.raises(StartError, match="boom"):
        await Supervisor([Step(name="failing", run=failing)]).start()
    with pytest.raises(Failed):
        await failing()


async def never() -> bool:
    return False


async def test_a_stop_request_ends_a_start(folder: Path) -> None:
    supervisor = Supervisor([python("ready", SLEEPER), python("waiting", SLEEPER, ready=never)])
    task = asyncio.create_task(supervisor.start())
    await eventually(lambda: len(supervisor.pids()) == 2)
    pids = [pid for found in supervisor.pids().values() for pid in found]
    supervisor.request_stop()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert all(gone(pid) for pid in pids)


async def test_stop_goes_backwards_kills_the_deaf_and_their_children(folder: Path) -> None:
    settled: list[str] = []

    def settle(name: str) -> object:
        async def hook() -> None:
            settled.append(name)

        return hook

    supervisor = Supervisor()
    supervisor.add(python("base", SLEEPER, settle=settle("base")))
    supervisor.add(
        python("deaf", STUBBORN, folder / "deaf.log", needs=("base",), settle=settle("deaf"), stop_timeout=0.3)
    )
    supervisor.add(python("family", PARENT, folder / "family.log", needs=("base",)))
    await supervisor.start()
    await eventually(lambda: tail(folder / "family.log").strip() and "deaf" in tail(folder / "deaf.log"))
    grandchild = int(tail(folder / "family.log"))
    pids = [pid for found in supervisor.pids().values() for pid in found]
    await supervisor.stop()
    assert settled == ["deaf", "base"]
    assert all(gone(pid) for pid in (*pids, grandchild))


async def test_a_killed_child_takes_its_own_children_along(folder: Path) -> None:
    supervisor = Supervisor([python("family", PARENT, folder / "family.log")])
    await supervisor.start()
    try:
        await eventually(lambda: tail(folder / "family.log").strip())
        grandchild = int(tail(folder / "family.log"))
        os.kill(supervisor.pids()["family"][0], signal.SIGKILL)
        await eventually(lambda: gone(grandchild))
    finally:
        await supervisor.stop()


SUPERVISOR = """
import asyncio, json, os, sys
from pathlib import Path
from localnet.process import ChildSpec
from localnet.supervisor import Supervisor
folder = Path(sys.argv[1])
code = {parent!r}
argv = (sys.executable, "-I", "-S", "-c", code)
child = ChildSpec(name="family", group="family", argv=argv, log=folder / "family.log")
def publish(pids):
    (folder / "pids.json").write_text(json.dumps(pids))
async def main():
    supervisor = Supervisor([child], on_change=publish)
    supervisor.handle_signals()
    await supervisor.start()
    await supervisor.run_until_stopped()
    await supervisor.stop()
asyncio.run(main())
"""


def supervisor_process(folder: Path) -> subprocess.Popen[bytes]:
    code = SUPERVISOR.format(parent=PARENT)
    return subprocess.Popen([sys.executable, "-c", code, str(folder)], cwd=ROOT, start_new_session=True)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
async def test_nothing_outlives_the_supervisor(folder: Path, end: signal.Signals) -> None:
    process = supervisor_process(folder)
    try:
        await eventually(lambda: (folder / "pids.json").exists() and tail(folder / "family.log").strip())
        family = psutil.Process(process.pid).children(recursive=True)
        assert len(family) == 3, "the child, its own child, and the watchdog"
        published = json.loads((folder / "pids.json").read_text())["family"]
        assert published[0] in [member.pid for member in family]
        process.send_signal(end)
        process.wait(timeout=60)
        await eventually(lambda: all(gone(member.pid) for member in family))
    finally:
        process.kill()
        process.wait()


def test_lock_names_the_holder_and_ends_with_it(folder: Path) -> None:
    first, second = DirectoryLock(folder), DirectoryLock(folder)
    first.acquire()
    with pytest.raises(InUse, match=f"in use by process {os.getpid()}"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()


def test_ports_are_remembered_while_free(folder: Path) -> None:
    book = PortBook(folder / "ports.json")
    port = book.take("api")
    assert (book.take("api"), is_free(port), free_port({port}) != port) == (port, True, True)
    book.save()
    assert PortBook(folder / "ports.json").take("api") == port
    write_json(folder / "ports.json", {"api": port, "other": port})
    again = PortBook(folder / "ports.json")
    assert again.take("api") != again.take("other")


def test_logs_are_cut_in_place(folder: Path) -> None:
    path = folder / "some.log"
    path.write_text("".join(f"line {number}\n" for number in range(2_000)))
    with path.open("a") as writer:
        bound_log(path, limit=10_000, keep=1_000)
        writer.write("after\n")
    text = path.read_text()
    assert len(text) < 1_100
    assert text.startswith("[earlier lines dropped]\nline 19")
    assert text.endswith("line 1999\nafter\n")
    assert tail(path, 2) == "line 1999\nafter"
    bound_log(folder / "missing.log")
