"""The local Solana over raw JSON-RPC: envelopes, commitments, the blockhash window, time, fees, nonces."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator

import httpx
import pytest
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import (
    AdvanceNonceAccountParams,
    CreateAccountParams,
    InitializeNonceAccountParams,
    advance_nonce_account,
    create_account,
    initialize_nonce_account,
)
from solders.transaction import VersionedTransaction

from domain.shared import base58
from tests.svm_lab import CLOCK, SOL, blockhash, call, pays, refused, send, signed, status, value, wired
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


def test_base58_is_that_of_solana() -> None:
    for raw in (b"", b"\0", b"\0\0\1", bytes(range(64)), b"\xff" * 31, bytes(Pubkey.default()), b"\0" * 5 + b"a" * 900):
        assert base58.decode(base58.encode(raw)) == raw
    key = Keypair().pubkey()
    assert base58.encode(bytes(key)) == str(key)


async def test_errors_have_the_codes_of_a_node(svm: RunningSvm) -> None:
    url = svm.urls[0]
    assert await refused(url, "getNothing") == {"code": -32601, "message": "Method not found"}
    assert await refused(url, "getBalance", "abc") == {"code": -32602, "message": "Invalid param: WrongSize"}
    assert await refused(url, "getBalance", "0l") == {"code": -32602, "message": "Invalid param: Invalid"}
    assert (await refused(url, "getBalance"))["code"] == -32602
    assert (await refused(url, "getSlot", {"commitment": "soon"}))["code"] == -32602
    assert (await refused(url, "getSlot", {"minContextSlot": 10**9}))["code"] == -32016
    assert (await refused(url, "getTransaction", str(Signature.default()), P))["code"] == -32602
    assert (await refused(url, "getBlockTime", 10**9))["code"] == -32004
    async with httpx.AsyncClient() as client:
        answer = (await client.post(url, content=b'{"jsonrpc": "2.0", "id"')).json()
        assert answer == {"jsonrpc": "2.0", "error": {"code": -32700, "message": "Parse error"}, "id": None}
        batch = [
            {"jsonrpc": "2.0", "id": 7, "method": "getHealth"},
            {"jsonrpc": "2.0", "id": "x", "method": "getNo"},
            5,
        ]
        first, second, third = (await client.post(url, json=batch)).json()
    assert first == {"jsonrpc": "2.0", "result": "ok", "id": 7}
    assert (second["id"], second["error"]["code"]) == ("x", -32601)
    assert (third["id"], third["error"]["code"]) == (None, -32600)


async def test_preflight_refuses_with_the_whole_simulation(svm: RunningSvm, payer: Keypair) -> None:
    url, poor = svm.urls[0], Keypair()
    svm.fund(poor.pubkey(), SOL)
    sent = signed(poor, [pays(poor, payer.pubkey(), 5 * SOL)], await blockhash(url))
    options = {"encoding": "base64", "preflightCommitment": "processed"}
    error = await refused(url, "sendTransaction", wired(sent), options)
    assert error["code"] == -32002
    assert (
        error["message"] == "Transaction simulation failed: Error processing Instruction 0: custom program error: 0x1"
    )
    assert error["data"].pop("logs")[0] == "Program 11111111111111111111111111111111 invoke [1]"
    assert error["data"] == {
        "err": {"InstructionError": [0, {"Custom": 1}]}, "accounts": None, "unitsConsumed": 150, "returnData": None,
        "innerInstructions": None, "replacementBlockhash": None,
    }  # fmt: skip
    broken = VersionedTransaction.populate(sent.message, [Keypair().sign_message(b"other")])
    assert (await refused(url, "sendTransaction", wired(broken), options))["code"] == -32003
    await send(url, broken)
    assert await status(url, str(broken.signatures[0])) is None
    # The default commitment is finalized: it does not know a hash of this slot yet.
    early = await refused(url, "sendTransaction", wired(sent), {"encoding": "base64"})
    assert (early["code"], early["data"]["err"]) == (-32002, "BlockhashNotFound")
    assert (await refused(url, "sendTransaction", "AAAA", options))["code"] == -32602
    assert svm.lamports(poor.pubkey()) == SOL


async def test_commitment_is_age(svm: RunningSvm, payer: Keypair) -> None:
    url, to = svm.urls[0], Keypair().pubkey()
    signature = await send(url, signed(payer, [pays(payer, to, SOL)], await blockhash(url)))
    seen = []
    for slots in (0, 1, 1, 29, 1):
        svm.warp(slots=slots)
        found = await status(url, signature)
        balances = [
            await value(url, "getBalance", str(to), {"commitment": name})
            for name in ("processed", "confirmed", "finalized")
        ]
        seen.append((found["confirmations"], found["confirmationStatus"], [one // SOL for one in balances]))
    assert seen == [
        (0, "processed", [1, 0, 0]), (1, "processed", [1, 0, 0]), (2, "confirmed", [1, 1, 0]),
        (31, "confirmed", [1, 1, 0]), (None, "finalized", [1, 1, 1]),
    ]  # fmt: skip
    svm.warp(slots=400)
    assert await status(url, signature, search=False) is None
    assert (await status(url, signature))["confirmationStatus"] == "finalized"


@pytest.mark.parametrize(("age", "lands"), [(150, True), (151, False)])
async def test_a_blockhash_serves_150_slots(svm: RunningSvm, payer: Keypair, age: int, lands: bool) -> None:
    url, to = svm.urls[0], Keypair().pubkey()
    latest = await value(url, "getLatestBlockhash", P)
    assert latest["lastValidBlockHeight"] == await call(url, "getBlockHeight", P) + 150
    assert await call(url, "getBlockHeight", P) != await call(url, "getSlot", P)
    sent = signed(payer, [pays(payer, to, SOL)], Hash.from_string(latest["blockhash"]))
    svm.warp(slots=age)
    assert await value(url, "isBlockhashValid", latest["blockhash"], P) is lands
    signature = await send(url, sent)
    assert (await status(url, signature) is not None) is lands
    assert svm.lamports(to) == (SOL if lands else 0)
    assert (await call(url, "getBlockHeight", P) <= latest["lastValidBlockHeight"]) is lands


async def test_the_same_bytes_land_once(svm: RunningSvm, payer: Keypair) -> None:
    to = Keypair().pubkey()
    sent = signed(payer, [pays(payer, to, SOL)], await blockhash(svm.urls[0]))
    for url in (*svm.urls, *svm.urls):
        await send(url, sent)
    assert svm.lamports(to) == SOL
    assert svm.lamports(payer.pubkey()) == 99 * SOL - 5000
    again = await refused(
        svm.urls[0], "sendTransaction", wired(sent), {"encoding": "base64", "preflightCommitment": "processed"}
    )
    assert again["message"] == "Transaction simulation failed: This transaction has already been processed"
    assert again["data"]["err"] == "AlreadyProcessed"


async def test_fees_of_success_and_failure_are_those_of_a_cluster(svm: RunningSvm, payer: Keypair) -> None:
    url, to = svm.urls[0], Keypair().pubkey()
    dear = [set_compute_unit_limit(100_001), set_compute_unit_price(5_000)]
    sent = signed(payer, [*dear, pays(payer, to, SOL)], await blockhash(url))
    message = base64.b64encode(to_bytes_versioned(sent.message)).decode()
    fee = await value(url, "getFeeForMessage", message, P)
    assert fee == 5_000 + 501  # 500,005,000 micro-lamports, rounded up
    signature = await send(url, sent)
    assert svm.lamports(payer.pubkey()) == 99 * SOL - fee
    found = await call(url, "getRecentPrioritizationFees", [str(to)])
    assert [one["prioritizationFee"] for one in found][-1] == 5_000
    svm.confirm()
    options = {"commitment": "confirmed", "maxSupportedTransactionVersion": 0}
    told = await call(url, "getTransaction", signature, options)
    assert (told["meta"]["fee"], told["version"]) == (fee, 0)
    assert told["meta"]["preBalances"][0] - told["meta"]["postBalances"][0] == SOL + fee
    assert (await refused(url, "getTransaction", signature, {"commitment": "confirmed"}))["code"] == -32015

    before = svm.lamports(payer.pubkey())
    failing = await send(url, signed(payer, [*dear, pays(payer, to, 10**6 * SOL)], await blockhash(url)))
    assert svm.landed(failing) == {"InstructionError": [2, {"Custom": 1}]}
    assert svm.lamports(payer.pubkey()) == before - fee


async def test_a_wallet_below_the_rent_minimum_is_refused(svm: RunningSvm, payer: Keypair) -> None:
    url, to = svm.urls[0], Keypair().pubkey()
    assert await call(url, "getMinimumBalanceForRentExemption", 0) == 890_880
    assert await call(url, "getMinimumBalanceForRentExemption", 165) == 2_039_280
    sent = signed(payer, [pays(payer, to, 890_879)], await blockhash(url))
    tried = await value(url, "simulateTransaction", wired(sent), {"encoding": "base64", **P})
    assert tried["err"] == {"InsufficientFundsForRent": {"account_index": 1}}
    signature = await send(url, sent)
    assert svm.landed(signature) == {"InsufficientFundsForRent": {"account_index": 1}}
    assert (svm.lamports(to), svm.lamports(payer.pubkey())) == (0, 100 * SOL - 5000)


async def test_time_goes_where_it_is_told(svm: RunningSvm) -> None:
    url, clock = svm.urls[0], "SysvarC1ock11111111111111111111111111111111"
    slot, then = await call(url, "getSlot", P), svm.ledger.now().unix_timestamp
    valid = str(await blockhash(url))
    svm.warp(seconds=3600)
    assert await call(url, "getSlot", P) == slot + 1
    assert 3599 <= svm.ledger.now().unix_timestamp - then < 3660
    assert await value(url, "isBlockhashValid", valid, P)
    svm.warp(slots=432_000 * 2)
    assert (await call(url, "getEpochInfo", P))["epoch"] == 2
    key = Keypair()
    svm.fund(key.pubkey(), SOL)
    await value(url, "simulateTransaction", wired(signed(key, [], await blockhash(url))), {"encoding": "base64", **P})
    shown = await value(url, "getAccountInfo", clock, {"encoding": "base64", **P})
    data = base64.b64decode(shown["data"][0])
    assert int.from_bytes(data[:8], "little") == slot + 1 + 864_000
    assert int.from_bytes(data[32:40], "little") == svm.ledger.now().unix_timestamp
    with pytest.raises(ValueError, match="forward"):
        svm.warp(to=then)


async def test_a_durable_nonce_lives_longer_than_a_blockhash_and_serves_once(svm: RunningSvm, payer: Keypair) -> None:
    url, nonce, me = svm.urls[0], Keypair(), payer.pubkey()
    rent = await call(url, "getMinimumBalanceForRentExemption", 80)
    made = CreateAccountParams(
        from_pubkey=me, to_pubkey=nonce.pubkey(), lamports=rent, space=80, owner=Pubkey.default()
    )
    begun = InitializeNonceAccountParams(nonce_pubkey=nonce.pubkey(), authority=me)
    steps = [create_account(made), initialize_nonce_account(begun)]
    assert svm.landed(await send(url, signed(payer, steps, await blockhash(url), [nonce]))) is None

    def stored() -> Hash:
        account = svm.account(nonce.pubkey())
        assert account is not None
        return Hash.from_bytes(account.data[40:72])

    advance = advance_nonce_account(AdvanceNonceAccountParams(nonce_pubkey=nonce.pubkey(), authorized_pubkey=me))
    to, first = Keypair().pubkey(), stored()
    svm.warp(slots=1_000)
    good = signed(payer, [advance, pays(payer, to, SOL)], first)
    assert svm.landed(await send(url, good)) is None
    second = stored()
    assert second != first
    await send(url, signed(payer, [advance, pays(payer, to, 2 * SOL)], first))
    assert svm.lamports(to) == SOL
    svm.warp(slots=1)
    failing = await send(url, signed(payer, [advance, pays(payer, to, 10**6 * SOL)], second))
    assert svm.landed(failing) == {"InstructionError": [1, {"Custom": 1}]}
    assert stored() not in (first, second)
    third = stored()
    svm.warp(slots=1)
    svm.fail("sendTransaction", "fails", custom=7)
    await send(url, signed(payer, [advance, pays(payer, to, 3 * SOL)], third))
    assert stored() != third
    svm.control.perform("clock", {"running": False})
    svm.warp(slots=1)
    for paid in (4, 5):  # once in a slot
        await send(url, signed(payer, [advance, pays(payer, to, paid * SOL)], stored()))
    assert svm.lamports(to) == 5 * SOL
    svm.warp(slots=1)
    thief = Keypair()
    svm.fund(thief.pubkey(), SOL)
    stolen = AdvanceNonceAccountParams(nonce_pubkey=nonce.pubkey(), authorized_pubkey=thief.pubkey())
    kept = stored()
    await send(url, signed(thief, [advance_nonce_account(stolen)], kept))
    assert (stored(), svm.lamports(thief.pubkey())) == (kept, SOL)


async def test_the_clock_goes_on_while_nothing_is_sent(svm: RunningSvm) -> None:
    async def seconds(commitment: str) -> int:
        found = await value(svm.urls[0], "getAccountInfo", str(CLOCK), {"commitment": commitment, "encoding": "base64"})
        return int.from_bytes(base64.b64decode(found["data"][0])[32:40], "little", signed=True)

    before = await seconds("processed")
    svm.warp(seconds=700)
    assert await seconds("processed") >= before + 700
    assert await seconds("finalized") < before + 700, "what is final is some slots old"
    svm.warp(slots=40)
    assert await seconds("finalized") >= before + 700
