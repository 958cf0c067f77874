"""Deposit addresses and deposits as far as the API decides them."""

from __future__ import annotations

import asyncio
import secrets
from uuid import uuid4

from domain.exchange.addresses import checksum
from gateways.evm.addresses import keccak
from storage.events import new_id
from tests.api.lab import CHAIN_ID, TOKEN, Api, problem


async def test_an_account_has_one_address(api: Api) -> None:
    account_id, key = await api.account()
    path = f"/api/exchange/accounts/{account_id}/deposit-address"
    answers = await asyncio.gather(*(api.post(path, None, key) for _ in range(8)))
    assert {a.status_code for a in answers} == {200}
    assert len({a.text for a in answers}) == 1
    body = answers[0].json()
    assert body["chain_id"] == CHAIN_ID
    index = int(body["derivation_path"].removeprefix("m/44'/60'/0'/0/"))
    assert index >= 1
    assert body["address"] == checksum(api.deps.addresses.deposit_address(index), keccak)


async def test_indices_are_never_given_twice(api: Api) -> None:
    accounts = [await api.account() for _ in range(6)]
    answers = await asyncio.gather(
        *(api.post(f"/api/exchange/accounts/{a}/deposit-address", None, key) for a, key in accounts)
    )
    assert len({a.json()["derivation_path"] for a in answers}) == 6


async def test_rotation_retires_the_address_for_good(api: Api) -> None:
    account_id, key = await api.account()
    path = f"/api/exchange/accounts/{account_id}/deposit-address"
    old = (await api.post(path, None, key)).json()
    problem(await api.post(f"{path}/rotate", None, key), 403, "forbidden")
    new = (await api.post(f"{path}/rotate")).json()
    assert new["address"] != old["address"]
    assert (await api.post(path, None, key)).json() == new
    to_old = await api.withdraw(account_id, "1", to=old["address"])
    problem(to_old, 409, "destination_not_allowed")


async def test_addresses_of_others_are_not_given(api: Api) -> None:
    account_id, _ = await api.account()
    _, key = await api.account()
    problem(await api.post(f"/api/exchange/accounts/{account_id}/deposit-address", None, key), 404, "not_found")
    problem(await api.post(f"/api/exchange/accounts/{uuid4()}/deposit-address"), 404, "not_found")


async def _deposit(api: Api, account_id: str | None, *, status: str = "confirming", block: int = 100) -> str:
    deposit_id = new_id()
    await api.rows(
        """INSERT INTO exchange.deposits (id, chain_id, tx_hash, log_ordinal, block_number, block_hash, log_index,
             token, from_address, to_address, amount, account_id, status, required_confirmations)
           VALUES (%s, %s, %s, 0, %s, %s, 3, %s, %s, %s, 1500000, %s, %s, 12)""",
        deposit_id,
        CHAIN_ID,
        "0x" + secrets.token_hex(32),
        block,
        "0x" + secrets.token_hex(32),
        TOKEN,
        "0x" + "ab" * 20,
        "0x" + "cd" * 20,
        account_id,
        status,
    )
    return deposit_id


async def test_deposits_are_read_with_their_confirmations(fresh_api: Api) -> None:
    api = fresh_api
    account_id, key = await api.account()
    other, other_key = await api.account()
    deposit_id = await _deposit(api, account_id)
    orphan = await _deposit(api, None, status="ignored")
    path = f"/api/exchange/deposits/{deposit_id}"
    assert (await api.get(path, key)).json()["confirmations"] == 0
    await api.rows(
        """INSERT INTO exchange.chain_cursors (chain_id, next_block, head_block, safe_block, finalized_block)
           VALUES (%s, 106, 105, 90, 80)""",
        CHAIN_ID,
    )
    body = (await api.get(path, key)).json()
    assert body["confirmations"] == 5
    assert body["required_confirmations"] == 12
    assert body["amount_usdc"] == "1.5"
    assert body["status"] == "confirming"
    assert body["to_address"] == checksum("0x" + "cd" * 20, keccak)
    assert body["log_ordinal"] == 0
    assert body["operation_id"] is None
    assert set(body) >= {"id", "account_id", "tx_hash", "block_number", "reason"}
    problem(await api.get(path, other_key), 404, "not_found")
    problem(await api.get(f"/api/exchange/deposits/{orphan}", key), 404, "not_found")
    problem(await api.get(f"/api/exchange/deposits/{uuid4()}"), 404, "not_found")
    mine = (await api.get("/api/exchange/deposits", key)).json()["items"]
    assert [d["id"] for d in mine] == [deposit_id]
    ignored = (await api.get("/api/exchange/deposits?status=ignored")).json()["items"]
    assert [d["id"] for d in ignored] == [orphan]
    assert ignored[0]["account_id"] is None
    problem(await api.get(f"/api/exchange/deposits?account_id={other}", key), 404, "not_found")
    problem(await api.get("/api/exchange/deposits?status=lost"), 400, "validation_failed")
    problem(await api.get("/api/exchange/deposits?account_id=x"), 400, "validation_failed")
    table = await api.get("/api/exchange/deposits", key, Accept="text/csv")
    assert table.text.splitlines()[0].startswith("from_address,to_address,id,")
