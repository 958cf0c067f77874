"""Launches whose creator signs on durable nonces: time for the wallet, one effect, nothing that lands after an end."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from domain.launchpad.steps import CURVE, MINT, Step, plan_key
from domain.shared.errors import Rejected
from localnet.running import RunningTemporal, running_temporal
from storage.database import transaction
from storage.intents.opened import Opened
from storage.intents.solana import submit
from tests.svm_lab import SKIP, envelope, value
from tests.token_launch_lab import TokenLab, token_lab

LONG = 1_000
"""Slots; a blockhash lives 150."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: Any) -> AsyncIterator[RunningTemporal]:
    directory: Path = tmp_path_factory.mktemp("nonces")
    async with running_temporal(directory / "temporal") as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(
    server: RunningTemporal, new_database: Callable[[], Awaitable[str]], tmp_path_factory: Any
) -> AsyncIterator[TokenLab]:
    dsn = await new_database()
    async with token_lab(dsn, server.address, tmp_path_factory.mktemp("svm")) as opened:
        await opened.start_worker()
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def lab(world: TokenLab) -> TokenLab:
    """One chain and one worker for all, another creator for each."""
    await world.newcomer()
    return world


async def nonces(lab: TokenLab) -> list[dict[str, Any]]:
    return await lab.rows("SELECT id, address, transaction_id FROM launchpad.nonces ORDER BY id")


async def attempts(lab: TokenLab, opened: Opened, step: Step) -> list[dict[str, Any]]:
    return await lab.rows(
        """SELECT a.status::text AS status, a.raw, a.signature, a.nonce_id FROM launchpad.transaction_attempts a
           JOIN launchpad.transactions t ON t.id = a.transaction_id WHERE t.key = %s ORDER BY a.number""",
        plan_key(opened.subject_id, step),
    )


async def keep(lab: TokenLab, opened: Opened, step: Step, raw: bytes) -> None:
    """As the API does, and nobody is told: the process is dead, or busy."""
    [row] = await lab.rows("SELECT id FROM launchpad.transactions WHERE key = %s", plan_key(opened.subject_id, step))
    async with transaction(lab.pool) as connection:
        await submit(connection, row["id"], lab.drafting.read_signed(raw), platform=lab.platform)


async def drop(lab: TokenLab) -> None:
    """No transaction reaches the chain until `heal`."""
    for port in (0, 1):
        await lab.node.control("fault", port=port, method="sendTransaction", fault="drop", times=None)


async def heal(lab: TokenLab) -> None:
    for port in (0, 1):
        await lab.node.control("heal", port=port)


async def signed_and_dropped(lab: TokenLab, opened: Opened) -> bytes:
    """The mint has every signature, and nobody takes it; its bytes."""
    raw = lab.signed_by(lab.creator, await lab.issued(opened, MINT))
    await drop(lab)
    await lab.hand_in(opened, MINT, raw)
    [attempt] = await lab.until(
        lambda: attempts(lab, opened, MINT), lambda found: bool(found) and found[0]["signature"] is not None
    )
    return bytes(attempt["raw"])


async def test_the_wallet_has_time_and_the_next_launch_the_same_nonce(lab: TokenLab) -> None:
    for _ in range(2):
        opened = await lab.begin(signing="creator")
        for step in (MINT, CURVE):
            issued = await lab.issued(opened, step)
            await lab.node.control("warp", slots=LONG)
            assert await lab.issued(opened, step) == issued
            await lab.hand_in(opened, step, lab.signed_by(lab.creator, issued))
        row = await lab.reaches(opened, "live")
        assert (await lab.landed(row["mint"]), row["spent_lamports"]) == (2, 0)
    [nonce] = await nonces(lab)
    assert nonce["transaction_id"] is None
    assert await lab.landed(nonce["address"]) == 1 + 2 * 2  # made, and used by each transaction


async def test_launches_at_a_time_have_nonces_of_their_own(lab: TokenLab) -> None:
    both = [await lab.begin(signing="creator"), await lab.begin(signing="creator")]
    issued = [await lab.issued(opened, MINT) for opened in both]
    lent = [nonce["transaction_id"] for nonce in await nonces(lab)]
    assert None not in lent
    assert len(set(lent)) == 2
    await lab.node.control("warp", slots=LONG)
    for opened, message in zip(reversed(both), reversed(issued), strict=True):
        await lab.hand_in(opened, MINT, lab.signed_by(lab.creator, message))
        await lab.sign(opened, CURVE)
        await lab.reaches(opened, "live")


async def test_dropped_it_cannot_be_cancelled_and_lands_in_the_end(lab: TokenLab) -> None:
    opened = await lab.begin(signing="creator")
    await signed_and_dropped(lab, opened)
    await lab.node.control("warp", slots=LONG)
    with pytest.raises(Rejected) as refused:
        await lab.cancel(opened)
    assert refused.value.code == "launch_not_cancellable"
    await heal(lab)
    await lab.sign(opened, CURVE)
    row = await lab.reaches(opened, "live")
    assert await lab.landed(row["mint"]) == 2
    assert [one["status"] for one in await attempts(lab, opened, MINT)] == ["landed"]


async def test_stuck_it_is_ended_and_the_launch_can_be_cancelled(lab: TokenLab) -> None:
    """The nonce is used up by the platform; only then the launch waits for a signature again, and may be undone."""
    async with lab.set_to(solana_patience_s="10"):
        opened = await lab.begin(signing="creator")
        raw = await signed_and_dropped(lab, opened)
        void = f"void:{plan_key(opened.subject_id, MINT)}:1"
        await lab.until(lambda: lab.rows("SELECT 1 FROM launchpad.transactions WHERE key = %s", void), bool)
        assert [one["status"] for one in await attempts(lab, opened, MINT)] == ["signed"]
        await heal(lab)
        await lab.until(
            lambda: attempts(lab, opened, MINT), lambda found: bool(found) and found[0]["status"] == "expired"
        )
        await lab.issued(opened, MINT)
        await lab.cancel(opened)
        row = await lab.reaches(opened, "undone")
    await envelope(lab.url, "sendTransaction", base64.b64encode(raw).decode(), SKIP)
    await lab.node.control("warp", slots=3)
    assert await value(lab.url, "getAccountInfo", row["mint"], {"commitment": "processed"}) is None
    assert {nonce["transaction_id"] for nonce in await nonces(lab)} == {None}


async def test_cancelled_while_it_waits_the_nonce_is_the_next_ones(lab: TokenLab) -> None:
    opened = await lab.begin(signing="creator")
    raw = lab.signed_by(lab.creator, await lab.issued(opened, MINT))
    await lab.cancel(opened)
    row = await lab.reaches(opened, "undone")
    free = await nonces(lab)
    assert {nonce["transaction_id"] for nonce in free} == {None}
    other = await lab.begin(signing="creator")
    for step in (MINT, CURVE):
        await lab.sign(other, step)
    await lab.reaches(other, "live")
    assert len(await nonces(lab)) == len(free)
    await envelope(lab.url, "sendTransaction", base64.b64encode(raw).decode(), SKIP)
    await lab.node.control("warp", slots=3)
    assert await value(lab.url, "getAccountInfo", row["mint"], {"commitment": "processed"}) is None


async def test_nobody_signs_in_time_and_the_nonce_is_free(lab: TokenLab) -> None:
    async with lab.set_to(launchpad_signature_s="3"):
        opened = await lab.begin(signing="creator")
        late = lab.signed_by(lab.creator, await lab.issued(opened, MINT))
        await lab.reaches(opened, "needs_operator")
        assert {nonce["transaction_id"] for nonce in await nonces(lab)} == {None}
        with pytest.raises(Rejected) as refused:
            await keep(lab, opened, MINT, late)
        assert refused.value.code == "transaction_expired"
    await lab.retry(opened)
    for step in (MINT, CURVE):
        await lab.sign(opened, step)
    await lab.reaches(opened, "live")


async def without_money_for_another(lab: TokenLab) -> Opened:
    """A launch that needs a nonce which the wallet's day limit does not allow."""
    await lab.rows("UPDATE launchpad.nonces SET authority = 'another wallet' RETURNING id")
    there = len(await nonces(lab))
    opened = await lab.begin(signing="creator")
    await lab.until(lambda: nonces(lab), lambda rows: len(rows) > there)
    return opened


async def test_cancelled_while_its_nonce_is_made(lab: TokenLab) -> None:
    async with lab.set_to(solana_day_lamports="0"):
        opened = await without_money_for_another(lab)
        await lab.cancel(opened)
        await lab.reaches(opened, "undone", 20)
    assert {nonce["transaction_id"] for nonce in await nonces(lab)} == {None}


async def test_a_nonce_that_cannot_be_made_delays_a_launch_and_serves_the_next_message(lab: TokenLab) -> None:
    async with lab.set_to(solana_day_lamports="0"):
        opened = await without_money_for_another(lab)
        await lab.sign(opened, MINT)
        assert {attempt["nonce_id"] for attempt in await attempts(lab, opened, MINT)} == {None}
        await lab.until(lambda: lab.row(opened), lambda row: row["step"] == "create_sale")
    await lab.sign(opened, CURVE)
    row = await lab.reaches(opened, "live")
    assert await lab.landed(row["mint"]) == 2
    [newest] = (await nonces(lab))[-1:]
    assert {attempt["nonce_id"] for attempt in await attempts(lab, opened, CURVE)} == {newest["id"]}


async def test_killed_at_every_point_it_lands_once(lab: TokenLab) -> None:
    """While the nonce is made, when the message is out, handed in, signed by all, and on the chain."""
    await lab.rows("UPDATE launchpad.nonces SET authority = 'another wallet' RETURNING id")
    there = len(await nonces(lab))
    opened = await lab.begin(signing="creator", symbol="KILL")
    found = await lab.until(lambda: nonces(lab), lambda rows: len(rows) > there, every=0.005)
    await again(lab)
    raw = lab.signed_by(lab.creator, await lab.issued(opened, MINT))
    await lab.kill()
    await lab.node.kill()
    await lab.node.start()
    await lab.node.control("warp", slots=LONG)
    await keep(lab, opened, MINT, raw)
    await drop(lab)
    await lab.start_worker()
    await lab.tell_signed(opened, plan_key(opened.subject_id, MINT))
    await lab.until(
        lambda: attempts(lab, opened, MINT), lambda rows: bool(rows) and rows[0]["signature"] is not None, every=0.005
    )
    await again(lab)
    await heal(lab)
    address = found[-1]["address"]
    await lab.until(lambda: lab.signatures(address), lambda rows: len(rows) == 2, every=0.01)
    await again(lab)
    await lab.sign(opened, CURVE)
    row = await lab.reaches(opened, "live")
    assert (await lab.landed(row["mint"]), len(await lab.signatures(address))) == (2, 3)
    assert {nonce["transaction_id"] for nonce in await nonces(lab)} == {None}


async def again(lab: TokenLab) -> None:
    await lab.kill()
    await lab.start_worker()
