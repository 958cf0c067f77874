"""solana-py and anchorpy as the clients they are, over HTTP and WebSocket, against the local Solana."""

from __future__ import annotations

import asyncio
import hashlib
import json
import string
import struct
from collections.abc import AsyncIterator
from itertools import product
from typing import Any

import pytest
from anchorpy import Context, Program, Provider, Wallet
from anchorpy.error import ProgramError
from anchorpy_core.idl import Idl
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed, Finalized, Processed
from solana.rpc.core import RPCException
from solana.rpc.types import MemcmpOpts, TokenAccountOpts, TxOpts
from solana.rpc.websocket_api import connect
from solders.account import Account
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.rpc.config import RpcTransactionLogsFilter, RpcTransactionLogsFilterMentions
from spl.memo.constants import MEMO_PROGRAM_ID
from spl.token import instructions as spl
from spl.token.constants import TOKEN_PROGRAM_ID

from tests.patience import PATIENCE_S
from tests.svm_lab import SOL, blockhash, mint_steps, pays, send, signed
from tests.world.svm import RunningSvm, running_svm


@pytest.fixture
async def svm() -> AsyncIterator[RunningSvm]:
    async with running_svm() as node:
        yield node


@pytest.fixture
async def client(svm: RunningSvm) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(svm.urls[0], commitment=Confirmed) as opened:
        yield opened


@pytest.fixture
def payer(svm: RunningSvm) -> Keypair:
    key = Keypair()
    svm.fund(key.pubkey(), 100 * SOL)
    return key


async def test_solana_py_reads_everything_it_asks_for(svm: RunningSvm, client: AsyncClient, payer: Keypair) -> None:
    mint, url = Keypair(), svm.urls[0]
    rent = (await client.get_minimum_balance_for_rent_exemption(82)).value
    await send(url, signed(payer, mint_steps(payer, mint, TOKEN_PROGRAM_ID, 7, rent), await blockhash(url), [mint]))
    dropped = (await client.request_airdrop(payer.pubkey(), SOL)).value
    assert dropped != (await client.request_airdrop(payer.pubkey(), SOL)).value
    svm.confirm()
    account = spl.get_associated_token_address(payer.pubkey(), mint.pubkey())
    assert (await client.get_token_account_balance(account)).value.ui_amount_string == "0.000007"
    assert (await client.get_token_supply(mint.pubkey())).value.amount == "7"
    owned = await client.get_token_accounts_by_owner(payer.pubkey(), TokenAccountOpts(mint=mint.pubkey()))
    assert [one.pubkey for one in owned.value] == [account]
    parsed = await client.get_token_accounts_by_owner_json_parsed(
        payer.pubkey(), TokenAccountOpts(program_id=TOKEN_PROGRAM_ID)
    )
    assert parsed.value[0].account.data.parsed["info"]["tokenAmount"]["amount"] == "7"
    found = await client.get_program_accounts(
        TOKEN_PROGRAM_ID, filters=[165, MemcmpOpts(offset=0, bytes=str(mint.pubkey()))], encoding="base64"
    )
    assert [one.pubkey for one in found.value] == [account]
    both = (await client.get_multiple_accounts([account, Keypair().pubkey()])).value
    assert (both[0] is not None and both[0].owner, both[1]) == (TOKEN_PROGRAM_ID, None)
    listed = (await client.get_signatures_for_address(payer.pubkey())).value
    assert [one.err for one in listed] == [None, None, None]
    for encoding in ("json", "jsonParsed", "base64"):
        told = await client.get_transaction(listed[0].signature, encoding, max_supported_transaction_version=0)
        assert told.value is not None
        assert told.value.block_time == (await client.get_block_time(told.value.slot)).value
    latest = (await client.get_latest_blockhash()).value
    heights = (await client.get_block_height()).value, (await client.get_epoch_info()).value.block_height
    assert heights == (latest.last_valid_block_height - 150,) * 2
    assert (await client.get_slot(Processed)).value == (await client.get_slot(Confirmed)).value + 2
    assert (await client.get_version()).value.solana_core == "2.2.0"
    assert (await client.get_genesis_hash()).value is not None
    assert (await client.get_account_info(mint.pubkey(), Finalized)).value is None


async def test_solana_py_sends_and_hears_why_not(svm: RunningSvm, payer: Keypair) -> None:
    svm.ledger.move(0, running=True)
    options = TxOpts(skip_confirmation=False, preflight_commitment=Confirmed)
    async with AsyncClient(svm.urls[0], commitment=Confirmed) as client:
        svm.confirm()
        latest = (await client.get_latest_blockhash()).value
        to = Keypair().pubkey()
        sent = await client.send_transaction(signed(payer, [pays(payer, to, SOL)], latest.blockhash), options)
        assert (await client.get_balance(to)).value == SOL
        status = (await client.get_signature_statuses([sent.value])).value[0]
        assert status is not None
        assert status.err is None
        with pytest.raises(RPCException, match="custom program error: 0x1"):
            await client.send_transaction(signed(payer, [pays(payer, to, 10**6 * SOL)], latest.blockhash), options)


async def test_sockets_tell_at_the_commitment_asked_for(svm: RunningSvm, payer: Keypair) -> None:
    url, to = svm.urls[0], Keypair().pubkey()
    transaction = signed(payer, [pays(payer, to, SOL)], await blockhash(url))
    async with connect(svm.ws_urls[0]) as socket:

        async def next_ones(count: int) -> list[Any]:
            found: list[Any] = []
            while len(found) < count:
                found += await asyncio.wait_for(socket.recv(), PATIENCE_S)
            return found

        await socket.account_subscribe(to, Processed, "base64")
        await socket.account_subscribe(to, Confirmed, "base64")
        await socket.logs_subscribe(RpcTransactionLogsFilterMentions(to), Processed)
        await socket.signature_subscribe(transaction.signatures[0], Confirmed)
        await socket.program_subscribe(Pubkey.default(), Confirmed, "base64", data_slice=None, filters=[0])
        numbers = [one.result for one in await next_ones(5)]
        assert numbers == [1, 2, 3, 4, 5]
        await send(url, transaction)
        first = await next_ones(2)
        assert [one.subscription for one in first] == [1, 3]
        assert first[0].result.value.lamports == SOL
        assert first[1].result.value.err is None
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 0.5)
        svm.confirm()
        later = await next_ones(4)
        assert sorted(one.subscription for one in later) == [2, 4, 5, 5]
        await socket.slot_subscribe()
        told = (await next_ones(1))[0]
        svm.warp(slots=1)
        slot = (await next_ones(1))[0].result
        assert (slot.slot, slot.parent) == (svm.ledger.now().slot, svm.ledger.now().slot - 1)
        await socket.slot_unsubscribe(told.result)
        assert (await next_ones(1))[0].result is True
        await socket.logs_subscribe(RpcTransactionLogsFilter.All)
        await next_ones(1)
        svm.ports[0].sockets.drop(1006)
        with pytest.raises(Exception, match="close"):
            await asyncio.wait_for(socket.recv(), PATIENCE_S)


def named(passes: Any) -> str:
    """An instruction name whose Anchor discriminator passes: a way to call programs that are not Anchor's."""
    for letters in product(string.ascii_lowercase, repeat=4):
        name = "do" + "".join(letters)
        if passes(hashlib.sha256(f"global:{name}".encode()).digest()[:8]):
            return name
    raise AssertionError("none")


def idl(name: str, takes: list[tuple[str, bool, bool]], arguments: list[str], **more: Any) -> Idl:
    instruction = {
        "name": name,
        "accounts": [{"name": one, "isMut": mutable, "isSigner": signs} for one, mutable, signs in takes],
        "args": [{"name": f"a{number}", "type": kind} for number, kind in enumerate(arguments)],
    }
    told = {"version": "0.1.0", "name": "lab", "instructions": [instruction], "accounts": [], "errors": [], **more}
    return Idl.from_json(json.dumps(told))


async def test_anchorpy_calls_a_program_and_reads_its_errors(svm: RunningSvm, payer: Keypair) -> None:
    svm.ledger.move(2, running=True)
    options = TxOpts(skip_confirmation=False, preflight_commitment=Confirmed)
    async with AsyncClient(svm.urls[0], commitment=Confirmed) as client:
        provider = Provider(client, Wallet(payer), options)
        note = named(lambda found: all(32 <= byte < 127 for byte in found))
        memo = Program(idl(note, [("signer", False, True)], []), MEMO_PROGRAM_ID, provider)
        signature = await memo.rpc[note](ctx=Context(accounts={"signer": payer.pubkey()}))
        assert svm.landed(str(signature)) is None
        # The token program takes 3 as "transfer"; what follows is an amount nobody has.
        mint, url = Keypair(), svm.urls[0]
        steps = mint_steps(payer, mint, TOKEN_PROGRAM_ID, 7, 1_461_600)
        await send(url, signed(payer, steps, await blockhash(url), [mint]))
        account = spl.get_associated_token_address(payer.pubkey(), mint.pubkey())
        pay = named(lambda found: found[0] == 3)
        errors = [{"code": 1, "name": "Insufficient", "msg": "not that much there"}]
        accounts = [("source", True, False), ("target", True, False), ("owner", False, True)]
        tokens = Program(idl(pay, accounts, ["u8"], errors=errors), TOKEN_PROGRAM_ID, provider)
        named_accounts = {"source": account, "target": account, "owner": payer.pubkey()}
        with pytest.raises(ProgramError) as raised:
            await tokens.rpc[pay](1, ctx=Context(accounts=named_accounts))
        assert (raised.value.code, raised.value.msg) == (1, "not that much there")


async def test_anchorpy_decodes_accounts_it_finds(svm: RunningSvm, client: AsyncClient, payer: Keypair) -> None:
    program, keys = Pubkey.new_unique(), [Keypair().pubkey() for _ in range(3)]
    kind = {"kind": "struct", "fields": [{"name": "sold", "type": "u64"}, {"name": "open", "type": "bool"}]}
    found = idl("nothing", [], [], accounts=[{"name": "Sale", "type": kind}])
    for number, key in enumerate(keys):
        data = hashlib.sha256(b"account:Sale").digest()[:8] + struct.pack("<Q?", number, number == 1)
        svm.ledger.put(key, Account(SOL, data, program))
    svm.ledger.put(Keypair().pubkey(), Account(SOL, b"another kind of account", program))
    svm.confirm()
    sale = Program(found, program, Provider(client, Wallet(payer))).account["Sale"]
    assert (await sale.fetch(keys[1])).open is True
    assert sorted(one.account.sold for one in await sale.all()) == [0, 1, 2]
