"""Broadcasting, simulation, balances and signing against anvil."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from eth_account import Account
from pydantic import SecretStr

from domain.exchange.fees import GasPrice
from domain.exchange.tokens import encode_transfer
from domain.shared.errors import Broken, Rejected, Unavailable
from gateways.evm.chain import EvmNode
from gateways.evm.protocols import UnsignedTransaction
from gateways.evm.signer import LocalSigner, deposit_address
from gateways.protocols import Quarantined
from localnet.evm import CHAIN_ID
from tests.chain.gateway_lab import GWEI, Lab, call_data, chain, fresh_address, odd_node

XPRV = "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi"


@pytest_asyncio.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with chain(tmp_path) as lab:
        yield lab


def raw(text: str) -> bytes:
    return bytes.fromhex(text[2:])


async def refused(node: EvmNode, transaction: str) -> object:
    with pytest.raises(Rejected) as caught:
        await node.send_raw(raw(transaction))
    assert caught.value.code == "send_refused"
    return caught.value.data["reason"]


async def test_broadcasting_the_same_bytes_again_is_success(lab: Lab) -> None:
    await lab.rpc.call("evm_setAutomine", False)
    node, signed = lab.node(), await lab.signed(fresh_address(), value=1)
    await node.send_raw(raw(signed))
    await node.send_raw(raw(signed))
    assert await node.transaction_count(lab.user.address, pending=True) == 1 + await node.transaction_count(
        lab.user.address
    )


async def test_what_the_node_knows(lab: Lab) -> None:
    await lab.rpc.call("evm_setAutomine", False)
    node = lab.node()
    tx_hash = await lab.send(fresh_address(), value=1)
    assert await node.knows(tx_hash)
    assert await node.receipt(tx_hash, lab.usdc) is None
    await lab.mine()
    assert await node.knows(tx_hash)
    assert not await node.knows("0x" + "11" * 32)


async def test_nonce_too_low(lab: Lab) -> None:
    assert await refused(lab.node(), await lab.signed(fresh_address(), value=1, nonce=0)) == "nonce_too_low"


async def test_replacement_underpriced_and_a_replacement_that_pays_enough(lab: Lab) -> None:
    await lab.rpc.call("evm_setAutomine", False)
    node, to = lab.node(), fresh_address()
    nonce = await node.transaction_count(lab.user.address)
    await node.send_raw(raw(await lab.signed(to, value=1, nonce=nonce)))
    assert await refused(node, await lab.signed(to, value=2, nonce=nonce)) == "underpriced"
    price = {"max_fee": 113 * GWEI, "tip": 2 * GWEI}
    await node.send_raw(raw(await lab.signed(to, value=2, nonce=nonce, **price)))
    await lab.mine()
    assert await node.eth_balances([to]) == [2]


async def test_a_fee_below_the_base_fee_counts_as_underpriced(lab: Lab) -> None:
    await lab.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(50 * GWEI))
    await lab.mine()
    assert await lab.node().base_fee() > 10 * GWEI
    cheap = await lab.signed(fresh_address(), value=1, max_fee=GWEI, tip=1)
    assert await refused(lab.node(), cheap) == "underpriced"


async def test_a_wallet_without_gas_money(lab: Lab) -> None:
    poor = await lab.signed(fresh_address(), value=1, account=Account.create(), nonce=0)
    assert await refused(lab.node(), poor) == "insufficient_gas_funds"


async def test_other_refusals_keep_the_nodes_words(lab: Lab) -> None:
    with pytest.raises(Rejected) as caught:
        await lab.node().send_raw(b"\x02\x01\x02")
    assert caught.value.data["reason"] == "other"
    assert caught.value.detail


async def test_an_answer_with_another_hash_is_quarantined(lab: Lab) -> None:
    async def lie(_asked: object, answers: list[dict[str, object]]) -> object:
        return {**answers[0], "result": "0x" + "ab" * 32}

    async with odd_node(lab.evm.rpc_url) as proxy:
        proxy.fault = lie
        with pytest.raises(Quarantined, match="another hash"):
            await lab.node(proxy.url).send_raw(raw(await lab.signed(fresh_address(), value=1)))


async def test_simulating_an_honest_transfer(lab: Lab) -> None:
    node, to = lab.node(), fresh_address()
    assert await node.simulate_transfer(lab.usdc, lab.user.address, to, 10**12) is None
    too_much = await node.simulate_transfer(lab.usdc, lab.user.address, to, 10**12 + 1)
    assert too_much == "ERC20: transfer amount exceeds balance"
    assert "no contract" in str(await node.simulate_transfer(fresh_address(), lab.user.address, to, 1))


@pytest.mark.parametrize(
    ("mode", "verdict"),
    [(0, None), (1, "transfer returns false"), (3, None)],
    ids=["honest", "returns_false", "no_return"],
)
async def test_simulating_a_hostile_token(lab: Lab, mode: int, verdict: str | None) -> None:
    await lab.mint(lab.user.address, 100, lab.hostile)
    await lab.send(lab.hostile, call_data("setMode(uint8)", mode))
    assert await lab.node().simulate_transfer(lab.hostile, lab.user.address, fresh_address(), 5) == verdict


async def test_simulating_for_a_blacklisted_recipient(lab: Lab) -> None:
    to = fresh_address()
    await lab.mint(lab.user.address, 100, lab.hostile)
    await lab.send(lab.hostile, call_data("setBlacklisted(address,bool)", to, True))
    assert await lab.node().simulate_transfer(lab.hostile, lab.user.address, to, 5) == "blacklisted"


async def test_a_token_that_loops_for_ever_is_a_refusal(lab: Lab) -> None:
    deployed = await lab.receipt(await lab.send(None, "0x635b6000566000526004601cf3"))
    reason = await lab.node().simulate_transfer(deployed["contractAddress"], lab.user.address, fresh_address(), 5)
    assert reason
    assert "gas" in reason.lower()


async def test_a_receipt_shows_the_transfers_of_one_token_only(lab: Lab) -> None:
    to = fresh_address()
    tx_hash = await lab.transfer(to, 5)
    node = lab.node()
    receipt = await node.receipt(tx_hash, lab.usdc)
    assert receipt
    assert (receipt.status, receipt.gas_used > 21_000, receipt.effective_gas_price > 0) == (1, True, True)
    assert [(log.to_address, log.amount) for log in receipt.transfers] == [(to, 5)]
    other = await node.receipt(tx_hash, lab.hostile)
    assert other
    assert other.transfers == ()


async def test_balances_at_a_block_and_a_token_that_is_none(lab: Lab) -> None:
    to, node = fresh_address(), lab.node()
    await lab.transfer(to, 5)
    first = await lab.head()
    await lab.transfer(to, 7)
    assert await node.token_balances(lab.usdc, [to, fresh_address()], None) == [12, 0]
    assert await node.token_balances(lab.usdc, [to], first) == [5]
    assert await node.token_balances(lab.usdc, [to] * 1_201, None) == [12] * 1_201
    with pytest.raises(Quarantined, match="0 bytes instead of 32"):
        await node.token_balances(fresh_address(), [to], None)
    assert await node.transaction_count(lab.user.address, block_number=first) < await node.transaction_count(
        lab.user.address
    )


async def test_estimating_gas(lab: Lab) -> None:
    node, to, user = lab.node(), fresh_address(), lab.user.address
    assert 30_000 < await node.estimate_gas(user, lab.usdc, encode_transfer(to, 5), 0) < 100_000
    with pytest.raises(Rejected, match="exceeds balance") as caught:
        await node.estimate_gas(user, lab.usdc, encode_transfer(to, 10**15), 0)
    assert caught.value.data["reason"] == "reverts"


async def test_signed_transactions_are_mined(lab: Lab) -> None:
    """From the hot wallet and from a derived deposit address, signed by the signer, sent by the gateway."""
    hot, gas = Account.create(), Account.create()
    signer = LocalSigner(SecretStr(hot.key.hex()), SecretStr(gas.key.hex()), SecretStr(XPRV))
    node, to = lab.node(), fresh_address()
    deposit = deposit_address(SecretStr(XPRV), 3)
    for wallet, index in ((hot.address.lower(), None), (deposit, 3)):
        await lab.rpc.call("anvil_setBalance", wallet, hex(10**18))
        await lab.transfer(wallet, 100)
        unsigned = UnsignedTransaction(
            chain_id=CHAIN_ID,
            wallet=wallet,
            nonce=0,
            to_address=lab.usdc,
            value_wei=0,
            data=encode_transfer(to, 100),
            gas_limit=100_000,
            price=GasPrice(max_fee=100 * GWEI, priority=0),
        )
        signed = signer.sign(unsigned, index)
        await node.send_raw(signed.raw)
        await lab.receipt(signed.tx_hash)
        receipt = await node.receipt(signed.tx_hash, lab.usdc)
        assert receipt
        assert receipt.transfers[0].from_address == wallet
    assert await node.token_balances(lab.usdc, [to], None) == [200]


async def test_check_chain(lab: Lab) -> None:
    await lab.node().check_chain()
    nowhere, other_token, other_chain = lab.node(), lab.node(), lab.node()
    other_chain.chain_id = 42161
    other_token._token = fresh_address()
    nowhere._token = lab.caller
    for node in (nowhere, other_token, other_chain):
        with pytest.raises(Broken) as caught:
            await node.check_chain()
        assert caught.value.code == "wrong_chain"
    lab.process.kill()
    await lab.process.wait()
    with pytest.raises(Unavailable):
        await lab.node().check_chain()
