"""The Solana gateway against a real node that goes wrong on one port, or on both: whom it believes, what it raises."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from solders.hash import Hash
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.signature import Signature

from composition.solana import refuse_real_money
from domain.launchpad.solana import GENESIS, AccountFilter
from domain.shared.errors import Broken, Unavailable
from gateways.protocols import Quarantined
from gateways.solana.nodes import RpcNodes
from settings import Settings
from tests.svm_lab import SOL, blockhash, pays, send, signed, value
from tests.svm_lab import call as rpc
from tests.world.svm import RunningSvm, running_svm

READ = "getMultipleAccounts"
WRONG = ["http_429", "http_429_bare", "http_403", "plain_5xx", "html", "half_json", "empty", "cut", "behind", "error",
         "odd_envelope", "stall"]  # fmt: skip

STEP: dict[str, Any] = {"programIdIndex": 2, "accounts": [], "data": ""}


class Desk:
    def __init__(self, svm: RunningSvm) -> None:
        self.svm, self.kept = svm, list[tuple[str, str]]()
        self.payer = Keypair()
        svm.fund(self.payer.pubkey(), SOL)
        svm.warp(slots=40)
        self.nodes = self.connected(svm.urls)

    def connected(self, urls: list[str]) -> RpcNodes:
        async def keep(source: str, kind: str, reason: str, payload: Any) -> None:
            self.kept.append((source, kind))

        return RpcNodes.connect(urls, calls_per_s=1_000, quarantine=keep)

    async def lamports(self) -> int:
        account = await self.nodes.account(str(self.payer.pubkey()))
        assert account is not None
        return account.lamports

    def asked(self, port: int, method: str = READ) -> int:
        return self.svm.ports[port].port.calls[method]


@pytest_asyncio.fixture(loop_scope="session")
async def desk() -> AsyncIterator[Desk]:
    async with running_svm() as svm:
        opened = Desk(svm)
        yield opened
        await opened.nodes.aclose()


@pytest.mark.parametrize("fault", WRONG)
async def test_the_other_node_answers(desk: Desk, fault: str) -> None:
    desk.svm.fail(READ, fault, times=None)
    assert await desk.lamports() == SOL
    assert desk.asked(1) == 1
    assert await desk.lamports() == SOL
    assert desk.asked(0) == 1  # and is asked first as long as the trouble is fresh


@pytest.mark.parametrize("fault", WRONG)
async def test_when_all_go_wrong_time_must_help(desk: Desk, fault: str) -> None:
    for port in (0, 1):
        desk.svm.fail(READ, fault, port=port, times=None)
    with pytest.raises(Unavailable) as failure:
        await desk.lamports()
    assert failure.value.code in ("solana_unavailable", "quarantined")
    desk.svm.heal()
    assert await desk.lamports() == SOL


@pytest.mark.parametrize("bare", [True, False])
async def test_an_error_without_data_ends_no_process(desk: Desk, bare: bool) -> None:
    """solders panics on it, with a BaseException that no handler of ours would catch (chains.md 0.5)."""
    for port in (0, 1):
        desk.svm.fail("sendTransaction", "behind", port=port, times=None, bare=bare)
    refusals = await desk.nodes.send(bytes(signed(desk.payer, [pays(desk.payer, Pubkey.new_unique(), SOL // 2)],
                                                  await blockhash(desk.svm.urls[0]))))  # fmt: skip
    assert len(refusals) == 2
    assert all("behind by 200 slots" in said for said in refusals)


async def test_retry_after_is_kept_to(desk: Desk) -> None:
    desk.svm.fail(READ, "http_429", seconds=30)
    assert await desk.lamports() == SOL
    assert desk.nodes.nodes[0].trouble > 0.9
    for _ in range(3):
        await desk.lamports()
    assert desk.asked(0) == 1


async def test_unknown_shapes_are_kept_and_the_work_goes_on(desk: Desk) -> None:
    desk.svm.fail(READ, "result", value={"context": {"slot": 1}, "value": [{"lamports": -1}]})
    assert await desk.lamports() == SOL
    assert desk.kept == [(desk.nodes.nodes[0].name, "accounts")]
    desk.svm.fail(READ, "result", value="?", times=None)
    desk.svm.fail(READ, "result", value="?", port=1, times=None)
    with pytest.raises(Quarantined):
        await desk.lamports()


async def test_absence_is_believed_of_two(desk: Desk) -> None:
    desk.svm.view(port=0, blind=True)
    assert await desk.lamports() == SOL
    assert await desk.nodes.account(str(Pubkey.new_unique())) is None


async def test_a_slot_that_is_not_reached_is_waited_for(desk: Desk) -> None:
    address, slot = str(desk.payer.pubkey()), (await desk.nodes.clock()).slot
    desk.svm.view(port=0, lag=20)
    found = await desk.nodes.account(address, min_slot=slot)
    assert found is not None
    assert found.slot >= slot
    with pytest.raises(Unavailable, match="solana_unavailable"):
        await desk.nodes.account(address, min_slot=slot + 100)


async def test_what_landed_can_be_read_back(desk: Desk) -> None:
    to = Pubkey.new_unique()
    transaction = signed(desk.payer, [pays(desk.payer, to, 2_000_000)], await blockhash(desk.svm.urls[0], "confirmed"))
    signature = await send(desk.svm.urls[0], transaction)
    assert await desk.nodes.transaction(signature) is None
    desk.svm.finalize()
    found = await desk.nodes.transaction(signature)
    assert found is not None
    assert (found.err, found.lost_lamports(str(desk.payer.pubkey())), found.lost_lamports(str(to))) == (
        None, 2_005_000, -2_000_000
    )  # fmt: skip
    [step] = found.instructions
    flags = [(meta.address, meta.signer, meta.writable) for meta in step.accounts]
    assert flags == [(str(desk.payer.pubkey()), True, True), (str(to), False, True)]
    [row] = await desk.nodes.signatures_for(str(to))
    assert (row.signature, row.slot, row.err) == (signature, found.slot, None)
    assert await desk.nodes.signatures_for(str(to), until=signature) == []


async def test_accounts_of_a_program_are_found_by_their_bytes(desk: Desk) -> None:
    system = str(Pubkey.default())
    found = await desk.nodes.program_accounts(system)
    assert str(desk.payer.pubkey()) in {account.address for account in found}
    assert await desk.nodes.program_accounts(system, filters=[AccountFilter(offset=0, base58="2")]) == []


async def test_numbers_of_the_chain(desk: Desk) -> None:
    epochs = await desk.nodes.epochs()
    assert [epoch.node for epoch in epochs] == [node.name for node in desk.nodes.nodes]
    assert await desk.nodes.height() == epochs[0].height
    recent = await desk.nodes.blockhash()
    assert 100 < recent.last_valid_height - recent.height <= 150
    assert await desk.nodes.rent(165) == 2_039_280
    assert await desk.nodes.balance(str(desk.payer.pubkey())) == SOL
    desk.svm.view(port=0, fee_floor=7)
    assert set(await desk.nodes.recent_fees([str(desk.payer.pubkey())])) == {7}


async def test_a_node_of_another_cluster_is_refused(desk: Desk) -> None:
    await desk.nodes.check_cluster("localnet")
    other = desk.connected(desk.svm.urls)
    with pytest.raises(Broken, match="wrong_chain"):
        await other.check_cluster("mainnet-beta")
    await other.aclose()


async def test_two_ways_to_one_host_are_told_apart_and_both_looked_at(desk: Desk) -> None:
    url, other = desk.svm.urls
    nodes = desk.connected([url + "/?key=one", url + "/?key=another", other])
    host = nodes.nodes[0].name
    assert [node.name for node in nodes.nodes] == [host, f"{host}#2", nodes.nodes[2].name]
    assert nodes.size == 2
    await nodes.check_cluster("localnet")
    assert desk.asked(0, "getGenesisHash") == 2
    assert [epoch.node for epoch in await nodes.epochs()] == [node.name for node in nodes.nodes]
    views = await nodes.statuses(str(Signature.default()))
    assert [view.node for view in views] == [node.name for node in nodes.nodes]
    await nodes.aclose()


async def test_a_node_that_was_away_is_looked_at_before_it_is_believed(desk: Desk) -> None:
    desk.svm.fail("getGenesisHash", "behind", times=None)
    await desk.nodes.check_cluster("localnet")
    desk.nodes.nodes[0]._marks = 0.0  # it would be asked first
    assert await desk.lamports() == SOL
    assert (desk.asked(0), desk.asked(1)) == (0, 1), "it does not answer what chain it is of"
    desk.svm.heal()
    desk.svm.fail("getGenesisHash", "result", value=GENESIS["devnet"])
    desk.nodes.nodes[0]._marks = 0.0
    with pytest.raises(Broken, match="serves devnet"):
        await desk.lamports()
    assert desk.asked(0) == 0


async def test_what_one_node_makes_up_is_no_transaction(desk: Desk) -> None:
    to = Pubkey.new_unique()
    transaction = signed(desk.payer, [pays(desk.payer, to, 2_000_000)], await blockhash(desk.svm.urls[0], "confirmed"))
    signature = await send(desk.svm.urls[0], transaction)
    desk.svm.finalize()
    found = await desk.nodes.transaction(signature, agreed=True)
    assert found == await desk.nodes.transaction(signature)
    options = {"commitment": "finalized", "encoding": "json", "maxSupportedTransactionVersion": 0}
    real = await rpc(desk.svm.urls[1], "getTransaction", signature, options)
    richer = {**real, "meta": {**real["meta"], "postBalances": [0, *real["meta"]["postBalances"][1:]]}}
    for told in (richer, {**real, "slot": 10**12}, None):
        desk.svm.fail("getTransaction", "result", value=told)
        assert await desk.nodes.transaction(signature, agreed=True) is None
    desk.svm.fail("getTransaction", "result", value={**real, "blockTime": 1})
    assert await desk.nodes.transaction(signature, agreed=True) is not None
    desk.svm.fail("getTransaction", "behind", times=None)
    assert await desk.nodes.transaction(signature, agreed=True) == found  # who is away has no say


@pytest.mark.parametrize(
    "inner",
    [
        None,
        [{"index": 1, "instructions": []}],
        [{"index": 0, "instructions": []}] * 2,
        [{"index": 0, "instructions": [STEP | {"stackHeight": None}]}],
        [{"index": 0, "instructions": [STEP | {"stackHeight": 1}]}],
        [{"index": 0, "instructions": [STEP | {"stackHeight": 3}]}],
        [{"index": 0, "instructions": [STEP | {"stackHeight": 2}, STEP | {"stackHeight": 4}]}],
        [{"index": 0, "instructions": [STEP | {"stackHeight": 2, "programIdIndex": 99}]}],
        [{"index": 0, "instructions": [STEP | {"stackHeight": 2, "data": "0OIl"}]}],
    ],
)
async def test_a_node_that_does_not_say_who_called_whom_is_not_believed(desk: Desk, inner: object) -> None:
    """Somebody else's call would pass for a program's own. The next node is asked, the answer kept for an operator."""
    pay = pays(desk.payer, Pubkey.new_unique(), 2_000_000)
    signature = await send(desk.svm.urls[0], signed(desk.payer, [pay], await blockhash(desk.svm.urls[0], "confirmed")))
    desk.svm.finalize()
    options = {"commitment": "finalized", "encoding": "json", "maxSupportedTransactionVersion": 0}
    real = await rpc(desk.svm.urls[0], "getTransaction", signature, options)
    desk.svm.fail("getTransaction", "result", value={**real, "meta": {**real["meta"], "innerInstructions": inner}})
    found = await desk.nodes.transaction(signature)
    assert found is not None
    assert found.inner == ()
    assert desk.kept == [(desk.nodes.nodes[0].name, "transaction")]


async def test_no_single_node_shortens_the_life_of_a_blockhash(desk: Desk) -> None:
    hashes = await rpc(desk.svm.urls[1], "getLatestBlockhash", {"commitment": "confirmed"})
    honest = hashes["value"]["lastValidBlockHeight"]
    short = {**hashes, "value": {**hashes["value"], "lastValidBlockHeight": honest - 140}}
    desk.svm.fail("getLatestBlockhash", "result", value=short)
    assert (await desk.nodes.blockhash()).last_valid_height >= honest
    desk.svm.view(port=0, lag=100)
    recent = await desk.nodes.blockhash()
    assert (recent.last_valid_height, recent.height) == (honest, honest - 150)


async def test_a_blockhash_that_contradicts_its_own_node_or_the_others_is_not_used(desk: Desk) -> None:
    honest = (await desk.nodes.blockhash()).last_valid_height
    desk.svm.view(port=0, ahead=1_000)  # heights, and not what its blockhashes are said to be good for
    assert (await desk.nodes.blockhash()).last_valid_height == honest
    desk.svm.heal()
    desk.svm.warp(slots=300)
    desk.svm.view(port=0, lag=200)
    with pytest.raises(Unavailable, match="other nodes are at"):
        await desk.nodes.blockhash()


async def test_it_is_tried_out_on_the_state_that_the_balances_around_it_are_of(desk: Desk) -> None:
    """The newest: a block that is not confirmed yet belongs to it."""
    hashes = [
        (await value(desk.svm.urls[0], "getLatestBlockhash", {"commitment": level}))["blockhash"]
        for level in ("confirmed", "processed")
    ]
    assert hashes[0] != hashes[1]
    for one in hashes:
        tried = signed(desk.payer, [pays(desk.payer, Pubkey.new_unique(), SOL // 2)], Hash.from_string(one))
        found = await desk.nodes.simulate(bytes(tried), watched=str(desk.payer.pubkey()))
        assert (found.err, found.lost_lamports) == (None, SOL // 2 + 5_000)


def test_real_money_is_refused_in_the_sandbox() -> None:
    told = {"sandbox_mode": True, "arbitrum_chain_id": 421614, "solana_rpc_url": ("https://node",)}
    refuse_real_money(Settings.model_construct(**told, solana_cluster="devnet"))
    with pytest.raises(Broken, match="SOLANA_CLUSTER"):
        refuse_real_money(Settings.model_construct(**told, solana_cluster="mainnet-beta"))
    refuse_real_money(Settings.model_construct(**{**told, "sandbox_mode": False}, solana_cluster="mainnet-beta"))


async def test_names_and_messages_carry_no_key_of_a_provider(desk: Desk) -> None:
    nodes = desk.connected([desk.svm.urls[0] + "/secret-key"])
    desk.svm.fail(READ, "plain_5xx", times=None)
    with pytest.raises(Unavailable) as failure:
        await nodes.account(str(desk.payer.pubkey()))
    assert "secret-key" not in failure.value.detail + repr(nodes.nodes)
    await nodes.aclose()
