"""Launches that the creator's own wallet signs: first, in time, unaltered, or not at all."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from solders.keypair import Keypair

from domain.launchpad.request import SOL
from domain.launchpad.steps import CURVE, MINT
from domain.shared.errors import Rejected
from localnet.running import RunningTemporal, running_temporal
from storage.database import transaction
from storage.intents.solana import submit
from tests.svm_lab import SKIP, envelope, value
from tests.token_launch_lab import TokenLab, token_lab


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: Any) -> AsyncIterator[RunningTemporal]:
    directory: Path = tmp_path_factory.mktemp("launches")
    async with running_temporal(directory / "temporal") as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(
    server: RunningTemporal, new_database: Callable[[], Awaitable[str]], tmp_path_factory: Any
) -> AsyncIterator[TokenLab]:
    async with token_lab(await new_database(), server.address, tmp_path_factory.mktemp("svm")) as opened:
        await opened.start_worker()
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def lab(world: TokenLab) -> TokenLab:
    """One chain and one worker for all, another creator for each."""
    await world.newcomer()
    return world


async def test_the_creators_wallet_signs_first_and_the_platform_last(lab: TokenLab) -> None:
    opened = await lab.begin(signing="creator")
    for step in (MINT, CURVE):
        await lab.sign(opened, step)
    row = await lab.reaches(opened, "live")
    assert (row["operation"], row["spent_lamports"]) == ("completed", 0)
    assert await lab.landed(row["mint"]) == 2
    [sale] = await lab.rows("SELECT creator FROM launchpad.sales WHERE project_id = %s", opened.subject_id)
    assert sale["creator"] == str(lab.creator.pubkey())
    [nonces] = await lab.rows(
        """SELECT coalesce(sum(a.lost_lamports), 0)::bigint AS lost FROM launchpad.transactions t
           JOIN launchpad.transaction_attempts a ON a.transaction_id = t.id
           WHERE t.subject_kind = 'nonce' AND t.created_at > %s""",
        row["created_at"],
    )
    assert await lab.lamports(lab.platform) == 100 * SOL - nonces["lost"]  # which stay the platform's


async def test_an_altered_transaction_is_refused_and_the_issued_one_still_good(lab: TokenLab) -> None:
    opened = await lab.begin(signing="creator")
    issued = await lab.issued(opened, MINT)
    supply = lab.request().total_supply.to_bytes(8, "little")
    more = issued.replace(supply, (2**64 - 1).to_bytes(8, "little"))
    assert more != issued
    for raw in (lab.signed_by(lab.creator, more), lab.signed_by(lab.creator, issued)[:-1], issued):
        with pytest.raises(Rejected) as refused:
            await lab.hand_in(opened, MINT, raw)
        assert refused.value.code == "transaction_altered"
    assert (await lab.row(opened))["status"] == "waiting_signature"
    await lab.hand_in(opened, MINT, lab.signed_by(lab.creator, issued))
    await lab.until(lambda: lab.row(opened), lambda row: row["step"] == "create_sale")


@pytest_asyncio.fixture(loop_scope="session")
async def without_nonces(lab: TokenLab) -> AsyncIterator[TokenLab]:
    """Messages for wallets are on ordinary blockhashes, as when all nonces are lent."""
    async with lab.set_to(launchpad_nonces="0"):
        yield lab


async def test_a_message_that_ran_out_is_replaced(without_nonces: TokenLab) -> None:
    """The wallet signs too late; the next message is another, and that one lands."""
    lab = without_nonces
    opened = await lab.begin(signing="creator")
    late = lab.signed_by(lab.creator, await lab.issued(opened, MINT))
    await lab.node.control("warp", slots=200)
    fresh = await lab.issued(opened, MINT)
    assert fresh != late
    with pytest.raises(Rejected) as refused:
        await lab.hand_in(opened, MINT, late)
    assert refused.value.code == "transaction_expired"
    await lab.hand_in(opened, MINT, lab.signed_by(lab.creator, fresh))
    await lab.sign(opened, CURVE)
    row = await lab.reaches(opened, "live")
    assert await lab.landed(row["mint"]) == 2


async def test_signed_in_time_but_sent_too_late(without_nonces: TokenLab) -> None:
    """Handed in, then the blockhash runs out before the platform signs: the creator is asked once more."""
    lab = without_nonces
    opened = await lab.begin(signing="creator")
    raw = lab.signed_by(lab.creator, await lab.issued(opened, MINT))
    await lab.kill()
    key = f"launch:{opened.subject_id}:mint"
    [row] = await lab.rows("SELECT id FROM launchpad.transactions WHERE key = %s", key)
    async with transaction(lab.pool) as connection:
        await submit(connection, row["id"], lab.drafting.read_signed(raw), platform=lab.platform)
    await lab.node.control("warp", slots=200)
    await lab.start_worker()
    await lab.tell_signed(opened, key)
    await lab.until(
        lambda: lab.rows(
            "SELECT status::text AS s FROM launchpad.transaction_attempts WHERE transaction_id = %s", row["id"]
        ),
        lambda rows: [attempt["s"] for attempt in rows] == ["expired"],
    )
    for step in (MINT, CURVE):
        await lab.sign(opened, step)
    row = await lab.reaches(opened, "live")
    assert await lab.landed(row["mint"]) == 2


async def test_a_launch_cancelled_while_it_waits_for_a_signature_cannot_land_any_more(lab: TokenLab) -> None:
    opened = await lab.begin(signing="creator")
    raw = lab.signed_by(lab.creator, await lab.issued(opened, MINT))
    await lab.cancel(opened)
    row = await lab.reaches(opened, "undone")
    assert (row["operation"], row["failure_code"]) == ("cancelled", None)
    await envelope(lab.url, "sendTransaction", base64.b64encode(raw).decode(), SKIP)
    await lab.node.control("warp", slots=3)
    assert await value(lab.url, "getAccountInfo", row["mint"], {"commitment": "processed"}) is None
    assert await lab.lamports(str(lab.creator.pubkey())) == 100 * SOL


async def test_nobody_signs_and_the_launch_asks_for_help(lab: TokenLab) -> None:
    async with lab.set_to(launchpad_signature_s="1"):
        opened = await lab.begin(signing="creator")
        row = await lab.reaches(opened, "needs_operator")
        assert "no signature came within 1 seconds" in row["summary"]
        await lab.cancel(opened)
        assert (await lab.reaches(opened, "undone"))["operation"] == "cancelled"


async def test_a_creator_pays_the_platforms_fee_with_the_sale(lab: TokenLab) -> None:
    treasury = str(Keypair().pubkey())
    fee = {"launchpad_creation_fee_lamports": str(SOL // 10), "launchpad_treasury_wallet": treasury}
    async with lab.set_to(**fee):
        opened = await lab.begin(signing="creator")
        await lab.sign(opened, MINT)
        await lab.issued(opened, CURVE)
        assert await lab.lamports(treasury) == 0
        await lab.sign(opened, CURVE)
        await lab.reaches(opened, "live")
        assert await lab.lamports(treasury) == SOL // 10
