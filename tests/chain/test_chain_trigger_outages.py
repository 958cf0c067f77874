"""The chain trigger whose socket is dropped, refused or silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from storage.copytrade.chain_state import take_reread
from tests.patience import PATIENCE_S
from tests.polygon_lab import ONE, PolygonLab, polygon_lab


@pytest_asyncio.fixture(loop_scope="session")
async def lab(database: str, tmp_path: Path) -> AsyncIterator[PolygonLab]:
    async with polygon_lab(database, tmp_path) as opened:
        yield opened


async def test_a_dropped_socket_comes_back_reads_the_gap_and_asks_for_five_minutes(lab: PolygonLab) -> None:
    leader = await lab.follow()
    async with lab.listening():
        await lab.trade(leader)
        await lab.until_seen(1)
        lab.proxy.refuse_sockets = True
        await lab.proxy.drop_sockets()
        missed = await lab.trade(leader, 7 * ONE)
        await lab.chain.mine(3)

        async def down() -> bool:
            return (await lab.socket()).get("state") == "down"

        await lab.until(down)
        lab.proxy.refuse_sockets = False
        rows = await lab.until_seen(2)
        assert rows[1]["tx_hash"] == missed.tx_hash
        async with lab.books.begin() as book:
            start = await take_reread(book.connection)
            assert await take_reread(book.connection) is None
        assert start is not None
        assert 290 < rows[1]["arrived_at"].timestamp() - start.timestamp() < 310
        await lab.trade(leader)
        await lab.until_seen(3)


async def test_a_lasting_outage_alerts_and_the_alert_ends_with_the_first_head(lab: PolygonLab) -> None:
    await lab.follow()

    async def alert() -> list[dict[str, object]]:
        return await lab.rows("SELECT * FROM platform.alerts WHERE code = 'websocket_down' AND resolved_at IS NULL")

    async def silence() -> bool:
        return not await alert()

    async with lab.listening():
        lab.proxy.refuse_sockets = True
        await lab.proxy.drop_sockets()
        [opened] = await lab.until(alert)
        assert "HTTP 503" in str(opened["detail"])
        assert lab.proxy.url not in str(opened["detail"])
        lab.proxy.refuse_sockets = False
        async with asyncio.timeout(PATIENCE_S):
            while await alert():
                await lab.chain.mine()
                await asyncio.sleep(0.1)
        await lab.until(silence)


async def test_without_new_heads_the_socket_is_replaced(lab: PolygonLab) -> None:
    leader = await lab.follow()
    lab.silence_s = 1.0
    async with lab.listening():
        lab.proxy.muted = True
        missed = await lab.trade(leader)

        async def replaced() -> bool:
            return lab.sockets[0].connections > 1

        await lab.until(replaced)
        lab.proxy.muted = False
        async with asyncio.timeout(PATIENCE_S):
            while not (rows := await lab.seen()):
                await lab.chain.mine()
                await asyncio.sleep(0.2)
        [row] = rows
    assert row["tx_hash"] == missed.tx_hash


async def test_subscribed_but_silent_is_found_by_what_the_api_shows(lab: PolygonLab) -> None:
    leader = await lab.follow()
    async with lab.listening(untold_after_s=1.0):
        lab.proxy.muted_logs = True
        await asyncio.sleep(2.5)  # the fill must be younger than the subscription by more than the margin
        missed = await lab.trade(leader)
        await lab.told_by_api(leader, missed, 10 * ONE, 6 * ONE)

        async def distrusted() -> bool:
            return lab.sockets[0].connections > 1

        await lab.until(distrusted)
        lab.proxy.muted_logs = False
        await lab.until_seen(1)


async def test_a_node_that_stays_silent_calls_an_operator_although_gaps_are_read(lab: PolygonLab) -> None:
    """Each new connection finds what was missed over HTTP; that must not count as a sign of life."""
    leader = await lab.follow()

    async def alerts() -> list[dict[str, object]]:
        return await lab.rows("SELECT detail FROM platform.alerts WHERE code = 'websocket_down'")

    async with lab.listening(untold_after_s=0.3):
        lab.proxy.muted_logs = True
        async with asyncio.timeout(PATIENCE_S):
            while not (found := await alerts()):
                await asyncio.sleep(1.5)  # event times are whole seconds
                done = await lab.trade(leader)
                await lab.told_by_api(leader, done, 10 * ONE, 6 * ONE)
    assert "were not told" in str(found[0]["detail"])
