"""Temporal from the outside: what it means when nobody answers, and which processes can be started again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client

from domain.shared.errors import Rejected, Unavailable
from domain.shared.processes import PROCESSES, RetryProcess
from localnet.running import running_temporal
from workflows.client import Processes, connect

NOWHERE = "127.0.0.1:1"
POKE = RetryProcess()
CALLS: dict[str, Callable[[Processes], Awaitable[object]]] = {
    "start": lambda p: p.start("withdrawal", "1", "withdrawal:1", "pay"),
    "signal": lambda p: p.signal("withdrawal:1", "retry", POKE),
    "update": lambda p: p.update("withdrawal:1", "decide", POKE, RetryProcess, update_id="1"),
    "cancel": lambda p: p.cancel("withdrawal:1"),
    "state": lambda p: p.state("withdrawal:1"),
}


@pytest.mark.parametrize("name", CALLS)
async def test_a_temporal_that_was_never_reached_is_unavailable(name: str) -> None:
    """A lazy client that cannot connect raises a bare RuntimeError; callers must not have to know."""
    processes = Processes(await connect(NOWHERE, "default", lazy=True), timedelta(seconds=1))
    with pytest.raises(Unavailable) as caught:
        await CALLS[name](processes)
    assert caught.value.code == "temporal_unavailable"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    directory: Path = tmp_path_factory.mktemp("temporal")
    async with running_temporal(directory) as temporal:
        yield await connect(temporal.address, temporal.namespace)


async def test_what_nobody_started_is_unknown_not_unavailable(client: Client) -> None:
    processes = Processes(client)
    assert await processes.signal("nobody", "retry", POKE) is False
    assert await processes.state("nobody") is None
    await processes.cancel("nobody")
    with pytest.raises(Rejected) as caught:
        await processes.update("nobody", "decide", POKE, RetryProcess, update_id="1")
    assert caught.value.code == "conflict"


async def test_a_namespace_that_does_not_exist_is_unavailable(client: Client) -> None:
    elsewhere = await connect(client.service_client.config.target_host, "no-such-namespace", lazy=True)
    with pytest.raises(Unavailable):
        await Processes(elsewhere, timedelta(seconds=5)).start("withdrawal", "1", "withdrawal:1", "pay")


@pytest.mark.parametrize("kind", PROCESSES)
async def test_a_terminated_process_starts_again_only_where_its_row_allows_it(client: Client, kind: str) -> None:
    """No worker serves here: only starting is looked at."""
    processes, name = Processes(client), f"{kind}:terminated"
    await processes.start(kind, "1", name, "first")
    first = await client.get_workflow_handle(name).describe()
    await processes.start(kind, "1", name, "found running")
    assert (await client.get_workflow_handle(name).describe()).run_id == first.run_id
    await client.get_workflow_handle(name).terminate("an operator")
    assert await processes.state(name) == "terminated"
    await processes.start(kind, "1", name, "after the end")
    again = PROCESSES[kind].again
    assert await processes.state(name) == ("running" if again else "terminated")
    expected = {"deposit": False, "withdrawal": False, "sweep": False, "webhook_delivery": True}
    assert again is expected.get(kind, again)
