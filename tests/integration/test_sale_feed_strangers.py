"""What a stranger's program does beside our sales: cut logs, and events that are not ours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from domain.shared import base58
from gateways.solana.sale_events import read_events
from programs.interface import EVENT, tag
from tests.caller_lab import CALLER, built_caller, calling, flood
from tests.loader_lab import built
from tests.sale_feed_lab import FeedWorld, agreed, feed_world
from tests.sale_lab import LAUNCH, MILLION
from tests.svm_lab import blockhash, call, send, signed


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_caller(tmp_path_factory.mktemp("caller"))


@pytest.fixture
async def world(database: str, caller: Path) -> AsyncIterator[FeedWorld]:
    async with feed_world(database, {CALLER: caller}) as opened:
        yield opened


async def sent(world: FeedWorld, who: Keypair, *steps: Instruction) -> str:
    """Landed, by a stranger's own client."""
    url = world.svm.urls[0]
    signature = await send(url, signed(who, list(steps), await blockhash(url)))
    assert world.svm.landed(signature) is None
    return signature


async def test_a_trade_whose_logs_are_cut_is_booked(world: FeedWorld) -> None:
    """Anybody can make logs longer than a node keeps; here a purchase stands behind such calls."""
    keys, sale = await world.sale()
    buyer = world.wallet()
    trade = [built(step) for step in world.desk.program.buy(keys, str(buyer.pubkey()), MILLION, 2**63)]
    signature = await sent(world, buyer, *flood(), *trade)
    world.svm.finalize()
    asked = {"encoding": "json", "commitment": "finalized", "maxSupportedTransactionVersion": 0}
    logs = (await call(world.svm.urls[0], "getTransaction", signature, asked))["meta"]["logMessages"]
    assert "Log truncated" in logs
    assert not [line for line in logs if LAUNCH in line]
    await world.look()
    assert await world.kinds() == ["SaleCreated", "Traded"]
    assert await agreed(world, keys, sale)


async def test_nobody_else_tells_an_event_for_us(world: FeedWorld) -> None:
    """Directly, through a program of his own, and beside true purchases in the same call."""
    keys, sale = await world.sale()
    liar, buyer = world.wallet(), world.wallet()
    await world.desk.buy(keys, buyer, MILLION)
    said = bytes(Pubkey.from_string(keys.address)) + bytes(liar.pubkey()) + bytes(67)
    sale_account = [AccountMeta(Pubkey.from_string(keys.address), is_signer=False, is_writable=False)]
    lie = Instruction(Pubkey.from_string(LAUNCH), EVENT + tag("event", "Traded") + said, [])
    seen = Instruction(CALLER, bytes([0]), sale_account)  # so that the feed reads the transaction at all
    opened, true = (built(step) for step in world.desk.program.buy(keys, str(buyer.pubkey()), 5, 2**63))
    await sent(world, liar, lie, seen)
    await sent(world, liar, calling(lie), calling(lie, deeper=2), seen)
    await sent(world, buyer, opened, calling(lie, true, lie, deeper=1), calling(true), lie)
    await world.look()
    assert await world.kinds() == ["SaleCreated", *["Traded"] * 3]
    traded = await world.rows("SELECT tokens, wallet FROM launchpad.sale_events WHERE kind = 'Traded' ORDER BY id")
    assert [row["tokens"] for row in traded] == [MILLION, 5, 5]
    assert {row["wallet"] for row in traded} == {str(buyer.pubkey())}
    assert await agreed(world, keys, sale)


async def test_what_strangers_call_at_length_is_not_decoded(world: FeedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction may hold hundreds of kilobytes of calls, and base58 of long data costs its square."""
    keys, sale = await world.sale()
    await world.look()
    bought = await world.desk.buy(keys, world.wallet(), MILLION)
    world.svm.finalize()
    asked = {"encoding": "json", "commitment": "finalized", "maxSupportedTransactionVersion": 0}
    told = await call(world.svm.urls[0], "getTransaction", bought, asked)
    calls = told["meta"]["innerInstructions"][-1]["instructions"]
    long = {**calls[-1], "programIdIndex": 0, "data": base58.encode(b"\xff" * 10_240)}
    own = {**calls[-1], "data": long["data"]}
    told["meta"]["innerInstructions"][-1]["instructions"] = [*[long] * 62, own, *calls]
    for port in (0, 1):
        world.svm.fail("getTransaction", "result", port=port, value=told, times=None)
    decoded, decode = list[int](), base58.decode

    def counted(text: str) -> bytes:
        decoded.append(len(text))
        return decode(text)

    monkeypatch.setattr(base58, "decode", counted)
    found = await world.nodes.transaction(bought)
    assert found is not None
    assert [event.kind for _, event in read_events(LAUNCH, found).events] == ["Traded"]
    assert sum(decoded) < 10_000, "of 880,000 letters"
    await world.look()
    assert await world.kinds() == ["SaleCreated", "Traded"]
    assert await agreed(world, keys, sale)
