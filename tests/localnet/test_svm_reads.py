"""What the local Solana can be asked for: tokens, accounts by program, history, simulations."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator

import pytest
from solders.hash import Hash
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from spl.token import instructions as spl
from spl.token.constants import TOKEN_2022_PROGRAM_ID, TOKEN_PROGRAM_ID

from tests.svm_lab import SOL, blockhash, call, mint_steps, pays, refused, send, signed, value, wired
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


@pytest.mark.parametrize("program", [TOKEN_PROGRAM_ID, TOKEN_2022_PROGRAM_ID])
async def test_tokens_can_be_asked_for(svm: RunningSvm, payer: Keypair, program: Pubkey) -> None:
    url, mint = svm.urls[0], Keypair()
    rent = await call(url, "getMinimumBalanceForRentExemption", 82)
    steps = mint_steps(payer, mint, program, 1_234_567, rent)
    signature = await send(url, signed(payer, steps, await blockhash(url), [mint]))
    assert svm.landed(signature) is None
    account = spl.get_associated_token_address(payer.pubkey(), mint.pubkey(), program)
    ui = {"amount": "1234567", "decimals": 6, "uiAmount": 1.234567, "uiAmountString": "1.234567"}
    assert await value(url, "getTokenAccountBalance", str(account), P) == ui
    assert await value(url, "getTokenSupply", str(mint.pubkey()), P) == ui
    largest = await value(url, "getTokenLargestAccounts", str(mint.pubkey()), P)
    assert largest == [{"address": str(account), **ui}]
    for choice in ({"mint": str(mint.pubkey())}, {"programId": str(program)}):
        found = await value(
            url, "getTokenAccountsByOwner", str(payer.pubkey()), choice, {"encoding": "jsonParsed", **P}
        )
        assert [one["pubkey"] for one in found] == [str(account)]
        assert found[0]["account"]["data"]["parsed"]["info"]["tokenAmount"] == ui
    other = {"programId": str(TOKEN_PROGRAM_ID if program != TOKEN_PROGRAM_ID else TOKEN_2022_PROGRAM_ID)}
    assert await value(url, "getTokenAccountsByOwner", str(payer.pubkey()), other, P) == []
    svm.confirm()
    told = await call(
        url, "getTransaction", signature, {"commitment": "confirmed", "maxSupportedTransactionVersion": 0}
    )
    assert [one["uiTokenAmount"] for one in told["meta"]["postTokenBalances"]] == [ui]
    assert told["meta"]["preTokenBalances"] == []
    assert told["meta"]["innerInstructions"][0]["index"] == 2
    error = await refused(url, "getTokenAccountBalance", str(payer.pubkey()), P)
    assert error == {"code": -32602, "message": "Invalid param: not a Token account"}


async def test_program_accounts_pass_their_filters(svm: RunningSvm, payer: Keypair) -> None:
    url, mints = svm.urls[0], [Keypair(), Keypair()]
    rent = await call(url, "getMinimumBalanceForRentExemption", 82)
    for mint in mints:
        await send(url, signed(payer, mint_steps(payer, mint, TOKEN_PROGRAM_ID, 5, rent), await blockhash(url), [mint]))

    async def keys(*filters: object) -> set[str]:
        options = {**P, "encoding": "base64", "filters": list(filters)}
        found = await call(url, "getProgramAccounts", str(TOKEN_PROGRAM_ID), options)
        return {one["pubkey"] for one in found}

    accounts = {str(spl.get_associated_token_address(payer.pubkey(), mint.pubkey())) for mint in mints}
    wrapped = "So11111111111111111111111111111111111111112"
    assert await keys() == accounts | {str(mint.pubkey()) for mint in mints} | {wrapped}
    assert await keys({"dataSize": 165}) == accounts
    assert await keys({"dataSize": 165}, {"memcmp": {"offset": 32, "bytes": str(payer.pubkey())}}) == accounts
    first = base64.b64encode(bytes(mints[0].pubkey())).decode()
    assert len(await keys({"memcmp": {"offset": 0, "bytes": first, "encoding": "base64"}})) == 1
    # Two slots ago none of them was there.
    svm.warp(slots=1)
    options = {"encoding": "base64", "commitment": "confirmed", "withContext": True}
    found = await value(url, "getProgramAccounts", str(TOKEN_PROGRAM_ID), options)
    assert [one["pubkey"] for one in found] == [wrapped]
    cut = await value(
        url, "getAccountInfo", min(accounts), {**P, "encoding": "base64", "dataSlice": {"offset": 64, "length": 8}}
    )
    assert base64.b64decode(cut["data"][0]) == (5).to_bytes(8, "little")
    assert (await refused(url, "getAccountInfo", min(accounts), {**P, "encoding": "base58"}))["code"] == -32600


async def test_history_is_paged_by_signature(svm: RunningSvm, payer: Keypair) -> None:
    url, to = svm.urls[0], Keypair().pubkey()
    sent = []
    for number in range(5):
        sent.append(await send(url, signed(payer, [pays(payer, to, SOL + number)], await blockhash(url))))
        svm.warp(slots=1)
    svm.warp(slots=1)

    async def listed(**options: object) -> list[str]:
        told = await call(url, "getSignaturesForAddress", str(to), {"commitment": "confirmed", **options})
        return [one["signature"] for one in told]

    assert await listed() == sent[::-1]
    assert await listed(limit=2) == [sent[4], sent[3]]
    assert await listed(before=sent[3], limit=2) == [sent[2], sent[1]]
    assert await listed(until=sent[2]) == [sent[4], sent[3]]
    assert await call(url, "getSignaturesForAddress", str(to)) == []
    told = (await call(url, "getSignaturesForAddress", str(to), {"commitment": "confirmed"}))[0]
    assert told["blockTime"] == await call(url, "getBlockTime", told["slot"])
    assert told["err"] is None


async def test_simulation_shows_accounts_and_replaces_the_blockhash(svm: RunningSvm, payer: Keypair) -> None:
    url, to = svm.urls[0], Keypair().pubkey()
    stale = signed(payer, [pays(payer, to, SOL)], Hash.default())
    options = {
        "encoding": "base64",
        **P,
        "accounts": {"encoding": "base64", "addresses": [str(payer.pubkey()), str(to)]},
    }
    assert (await value(url, "simulateTransaction", wired(stale), options))["err"] == "BlockhashNotFound"
    told = await value(url, "simulateTransaction", wired(stale), {**options, "replaceRecentBlockhash": True})
    assert (told["err"], told["unitsConsumed"]) == (None, 150)
    assert [one["lamports"] for one in told["accounts"]] == [99 * SOL - 5000, SOL]
    assert told["replacementBlockhash"]["blockhash"] == str(await blockhash(url))
    assert svm.lamports(to) == 0
