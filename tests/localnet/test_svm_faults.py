"""Ways in which the local Solana goes wrong: transactions that fare ill, nodes behind or lying, odd answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import httpx
import pytest
from solders.keypair import Keypair
from solders.transaction import VersionedTransaction

from localnet.evm_faults import ODD_ENVELOPES
from tests.patience import PATIENCE_S
from tests.svm_lab import SOL, blockhash, call, envelope, pays, refused, send, signed, status, value, wired
from tests.world.svm import RunningSvm, running_svm

P = {"commitment": "processed"}


@pytest.fixture
async def svm() -> AsyncIterator[RunningSvm]:
    async with running_svm() as node:
        yield node


@pytest.fixture
def payer(svm: RunningSvm) -> Keypair:
    key = Keypair()
    svm.fund(key.pubkey(), 100 * SOL)
    return key


async def transfer(svm: RunningSvm, payer: Keypair) -> VersionedTransaction:
    return signed(payer, [pays(payer, Keypair().pubkey(), SOL)], await blockhash(svm.urls[0]))


async def test_a_dropped_transaction_is_answered_and_gone_until_sent_again(svm: RunningSvm, payer: Keypair) -> None:
    sent = await transfer(svm, payer)
    svm.fail("sendTransaction", "drop")
    signature = await send(svm.urls[0], sent)
    svm.warp(slots=5)
    assert await status(svm.urls[0], signature) is None
    assert await send(svm.urls[0], sent) == signature
    assert (await status(svm.urls[1], signature))["err"] is None


@pytest.mark.parametrize(("slots", "lands"), [(150, True), (151, False)])
async def test_a_delayed_transaction_lands_up_to_the_last_valid_block(
    svm: RunningSvm, payer: Keypair, slots: int, lands: bool
) -> None:
    sent = await transfer(svm, payer)
    svm.fail("sendTransaction", "delay", slots=slots)
    signature = await send(svm.urls[0], sent)
    svm.warp(slots=slots - 1)
    assert await status(svm.urls[0], signature) is None
    svm.warp(slots=1)
    assert (await status(svm.urls[0], signature) is not None) is lands


async def test_an_expired_transaction_can_never_land(svm: RunningSvm, payer: Keypair) -> None:
    sent = await transfer(svm, payer)
    last = (await value(svm.urls[0], "getLatestBlockhash", P))["lastValidBlockHeight"]
    svm.fail("sendTransaction", "expire")
    signature = await send(svm.urls[0], sent)
    assert await call(svm.urls[0], "getBlockHeight", P) > last
    await send(svm.urls[0], sent)
    assert await status(svm.urls[0], signature) is None


@pytest.mark.parametrize("again", [None, 2])
async def test_an_unconfirmed_transaction_was_seen_and_is_gone(
    svm: RunningSvm, payer: Keypair, again: int | None
) -> None:
    before = await transfer(svm, payer)
    await send(svm.urls[0], before)
    svm.warp(slots=1)
    sent = await transfer(svm, payer)
    svm.warp(slots=1)
    svm.fail("sendTransaction", "unconfirm", after=3, again=again)
    signature = await send(svm.urls[0], sent)
    svm.warp(slots=2)
    assert (await status(svm.urls[0], signature))["confirmationStatus"] == "confirmed"
    assert svm.lamports(payer.pubkey()) == 98 * SOL - 10_000
    svm.warp(slots=1)
    assert await status(svm.urls[0], signature) is None
    assert svm.lamports(payer.pubkey()) == 99 * SOL - 5_000
    assert svm.landed(str(before.signatures[0])) is None
    svm.warp(slots=2)
    assert (await status(svm.urls[0], signature) is None) is (again is None)
    assert svm.lamports(payer.pubkey()) == (99 * SOL - 5_000 if again is None else 98 * SOL - 10_000)


async def test_a_fork_voids_transactions_signed_on_the_other_side(svm: RunningSvm, payer: Keypair) -> None:
    svm.warp(slots=4)
    here = await transfer(svm, payer)
    assert svm.unconfirm(slots=2) == []
    signature = await send(svm.urls[0], here)
    assert await status(svm.urls[0], signature) is None
    svm.finalize()
    with pytest.raises(ValueError, match="undone"):
        svm.unconfirm(slots=32)


async def test_a_transaction_told_to_fail_pays_its_fee(svm: RunningSvm, payer: Keypair) -> None:
    svm.fail("sendTransaction", "fails", custom=6010)
    signature = await send(svm.urls[0], await transfer(svm, payer))
    assert (await status(svm.urls[0], signature))["err"] == {"InstructionError": [0, {"Custom": 6010}]}
    assert svm.lamports(payer.pubkey()) == 100 * SOL - 5_000


async def test_a_duplicate_counts_once(svm: RunningSvm, payer: Keypair) -> None:
    svm.fail("sendTransaction", "duplicate")
    await send(svm.urls[0], await transfer(svm, payer))
    assert svm.lamports(payer.pubkey()) == 99 * SOL - 5_000


async def test_a_lost_answer_leaves_the_transaction_on_the_chain(svm: RunningSvm, payer: Keypair) -> None:
    sent = await transfer(svm, payer)
    svm.fail("sendTransaction", "lost")
    with pytest.raises(httpx.HTTPError):
        await send(svm.urls[0], sent)
    assert svm.landed(str(sent.signatures[0])) is None


async def test_a_node_behind_shows_an_older_chain(svm: RunningSvm, payer: Keypair) -> None:
    good, slow = svm.urls
    to = Keypair().pubkey()
    svm.warp(slots=50)
    svm.view(port=1, lag=10)
    recent = await blockhash(good)
    signature = await send(good, signed(payer, [pays(payer, to, SOL)], recent))
    assert [await value(url, "getBalance", str(to), P) for url in svm.urls] == [SOL, 0]
    assert await status(slow, signature) is None
    assert await call(good, "getBlockHeight", P) - await call(slow, "getBlockHeight", P) == 10
    assert await value(slow, "isBlockhashValid", str(recent), P) is False
    other = signed(payer, [pays(payer, to, 2 * SOL)], recent)
    error = await refused(
        slow, "sendTransaction", wired(other), {"encoding": "base64", "preflightCommitment": "processed"}
    )
    assert error["data"]["err"] == "BlockhashNotFound"
    assert (await refused(slow, "getBalance", str(to), {**P, "minContextSlot": svm.ledger.now().slot}))[
        "code"
    ] == -32016
    svm.warp(slots=10)
    assert (await status(slow, signature))["confirmations"] == 0
    assert await call(slow, "getHealth") == "ok"
    svm.view(port=1, lag=200)
    assert await refused(slow, "getHealth") == {
        "code": -32005, "message": "Node is behind by 200 slots", "data": {"numSlotsBehind": 200},
    }  # fmt: skip
    svm.heal()
    assert await value(slow, "getBalance", str(to), P) == SOL


async def test_a_lying_node_is_alone_with_its_lies(svm: RunningSvm, payer: Keypair) -> None:
    honest, liar = svm.urls
    signature = await send(honest, await transfer(svm, payer))
    failed = await send(honest, signed(payer, [pays(payer, payer.pubkey(), 10**6 * SOL)], await blockhash(honest)))
    never = str((await transfer(svm, payer)).signatures[0])
    svm.confirm()
    svm.view(port=1, forgets=[signature], vouches=[never], hides_errors=True, ahead=500, blind=True)
    assert await status(liar, signature) is None
    assert await call(liar, "getTransaction", signature, {"commitment": "confirmed"}) is None
    listed = await call(liar, "getSignaturesForAddress", str(payer.pubkey()), {"commitment": "confirmed"})
    assert [one["signature"] for one in listed] == [failed]
    assert (await status(liar, never))["confirmationStatus"] == "confirmed"
    assert (await status(liar, failed))["err"] is None
    assert await call(liar, "getBlockHeight", P) == await call(honest, "getBlockHeight", P) + 500
    assert await value(liar, "getBalance", str(payer.pubkey()), P) == 0
    svm.view(port=1, finalizes=True)
    assert (await status(liar, failed))["confirmationStatus"] == "finalized"
    assert (await status(honest, failed))["err"] is not None
    assert (await status(honest, signature))["confirmationStatus"] == "confirmed"
    assert await status(honest, never) is None
    with pytest.raises(ValueError, match="unknown: laag"):
        svm.view(port=1, laag=3)


async def test_answers_that_are_none(svm: RunningSvm) -> None:
    url = svm.urls[0]
    async with httpx.AsyncClient() as client:

        async def asked() -> httpx.Response:
            return await client.post(url, json={"jsonrpc": "2.0", "id": 1, "method": "getSlot"}, timeout=PATIENCE_S)

        svm.fail("*", "http_429", seconds=3)
        answer = await asked()
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3")
        svm.fail("getSlot", "plain_5xx", status=502)
        assert (await asked()).status_code == 502
        svm.fail("getSlot", "html")
        assert (await asked()).headers["content-type"].startswith("text/html")
        svm.fail("getSlot", "half_json")
        with pytest.raises(ValueError):
            (await asked()).json()
        for number, shape in enumerate(ODD_ENVELOPES):
            svm.fail("getSlot", "odd_envelope", number=number)
            assert (await asked()).json() == shape
        svm.fail("getSlot", "behind", bare=True)
        assert (await asked()).json()["error"] == {"code": -32005, "message": "Node is behind by 200 slots"}
        svm.fail("getSlot", "cut")
        with pytest.raises(httpx.HTTPError):
            await asked()
        svm.fail("getSlot", "slow", seconds=0.3)
        begun = time.monotonic()
        assert "result" in (await asked()).json()
        assert time.monotonic() - begun > 0.25
        svm.fail("getSlot", "html", skip=1)
        assert "result" in (await asked()).json()
        assert (await asked()).status_code == 200


async def test_faults_of_one_port_are_told_over_its_own_control(svm: RunningSvm) -> None:
    first, second = svm.urls
    async with httpx.AsyncClient() as client:
        told = {"method": "getSlot", "fault": "error", "code": -32000, "message": "no", "times": None}
        assert (await client.post(f"{first}/control/fault", json=told)).status_code == 200
        assert (await envelope(first, "getSlot"))["error"] == {"code": -32000, "message": "no"}
        assert "result" in await envelope(second, "getSlot")
        assert (await client.delete(f"{first}/control/fault")).status_code == 204
        assert "result" in await envelope(first, "getSlot")
        assert (await client.post(f"{first}/control/view", json={"lag": 4})).json()["lag"] == 4
        slot = svm.ledger.now().slot
        shown = (await client.post(f"{first}/control/warp", json={"slots": 3})).json()
        assert shown["slot"] == slot + 3
        assert await call(second, "getSlot", P) == slot + 3
        for verb, asked in (("warp", {"seconds": -5}), ("fault", {"method": "x", "fault": "none"}), ("nothing", {})):
            assert (await client.post(f"{first}/control/{verb}", json=asked)).status_code == 400
        await client.post(f"{first}/control/heal", json={})
        assert (await client.get(f"{first}/control")).json()["lag"] == 0


async def test_an_undone_transaction_is_not_told_as_confirmed(svm: RunningSvm, payer: Keypair) -> None:
    """What subscribers of `confirmed` hear is what is confirmed on the fork that stayed."""
    import websockets

    sent = await transfer(svm, payer)
    async with websockets.connect(svm.ws_urls[0]) as socket:
        ask = {"jsonrpc": "2.0", "id": 1, "method": "logsSubscribe", "params": ["all", {"commitment": "confirmed"}]}
        await socket.send(str(ask).replace("'", '"'))
        await socket.recv()
        svm.warp(slots=1)
        await send(svm.urls[0], sent)
        svm.unconfirm(slots=1, again=6)
        svm.warp(slots=5)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 0.6)
        svm.warp(slots=1)
        svm.confirm()
        assert str(sent.signatures[0]) in str(await asyncio.wait_for(socket.recv(), PATIENCE_S))
