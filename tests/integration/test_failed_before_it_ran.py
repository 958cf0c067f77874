"""Transactions that paid their fee and never ran: nodes have null for what such a one called."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from domain.launchpad.payments import paid
from domain.launchpad.signing import MEMO
from domain.launchpad.transactions import Outcome
from tests.landing_lab import LandingLab, open_landing_lab
from tests.svm_lab import blockhash, call, pays, send, signed


@pytest_asyncio.fixture(loop_scope="session")
async def lab(database: str) -> AsyncIterator[LandingLab]:
    async with open_landing_lab(database) as opened:
        yield opened


async def bare(lab: LandingLab, signature: str, **change: Any) -> dict[str, Any]:
    """Both nodes tell of it as of one that never ran, from now on; its meta."""
    asked = {"commitment": "confirmed", "encoding": "json", "maxSupportedTransactionVersion": 0}
    told = await call(lab.svm.urls[0], "getTransaction", signature, asked)
    meta: dict[str, Any] = {**told["meta"], "innerInstructions": None, "logMessages": None, **change}
    for port in (0, 1):
        lab.svm.fail("getTransaction", "result", port=port, times=None, value={**told, "meta": meta})
    return meta


async def test_one_of_ours_has_failed(lab: LandingLab) -> None:
    await lab.plan("pay")
    for port in (0, 1):
        lab.svm.fail("sendTransaction", "fails", port=port, custom=1)
    async with lab.meanwhile(lab.land("pay")) as landing:
        await lab.seen()
        lab.svm.confirm()
        [row] = await lab.rows("SELECT signature FROM launchpad.transaction_attempts")
        fee = (await bare(lab, row["signature"]))["fee"]
        lab.svm.finalize()
    found = landing.result()
    assert (found.outcome, found.finalized, found.fee_lamports) == (Outcome.FAILED, True, fee)


async def test_a_payment_brought_nothing(lab: LandingLab) -> None:
    payer, to, url = str(lab.key.pubkey()), Pubkey.new_unique(), lab.svm.urls[0]
    steps = [pays(lab.key, to, 2_000_000), Instruction(Pubkey.from_string(MEMO), b"for us", [])]
    signature = await send(url, signed(lab.key, steps, await blockhash(url, "confirmed")))
    lab.svm.finalize()
    landed = await lab.nodes.transaction(signature, agreed=True)
    assert landed is not None
    assert paid(landed, payer, str(to), "for us") == 2_000_000
    await bare(lab, signature, err="ProgramAccountNotFound")
    found = await lab.nodes.transaction(signature, agreed=True)
    assert found is not None
    assert (found.err, found.inner) == ("ProgramAccountNotFound", ())
    assert paid(found, payer, str(to), "for us") == 0
