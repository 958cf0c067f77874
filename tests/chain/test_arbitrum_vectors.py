"""Arbitrum's exchange integration checklist, test vectors 1 to 8, end to end (chains.md section 7.2)."""

from __future__ import annotations

from domain.exchange.tokens import encode_transfer
from localnet import nitro
from localnet.evm_proxy import EvmProxy
from tests.world import CHAIN_ID, USDC, World


async def test_tv1_native_eth_is_not_credited(world: World) -> None:
    account = await world.account()
    address = await world.address(account)
    tx_hash = await world.send_call(address, "0x", value=10**18)
    await world.mine(13)
    await world.settled()
    assert (await world.deposit(tx_hash))["status"] == "unseen"
    assert await world.available(account) == 0


async def test_tv2_erc20_transfer_is_credited(world: World) -> None:
    account = await world.account()
    await world.mint(world.evm.faucet.address.lower(), 10 * USDC)
    tx_hash = await world.send_call(world.token, "0x" + encode_transfer(await world.address(account), 10 * USDC).hex())
    await world.mine(13)
    await world.deposit_status(tx_hash, "credited")
    assert await world.available(account) == 10 * USDC


async def test_tv3_reverted_erc20_transfer_is_not_credited(world: World) -> None:
    account = await world.account()
    tx_hash = await world.send_call(world.token, "0x" + encode_transfer(await world.address(account), 10**30).hex())
    await world.mine(13)
    await world.settled()
    assert int((await world.rpc("eth_getTransactionReceipt", tx_hash))["status"], 16) == 0
    assert (await world.deposit(tx_hash))["status"] == "unseen"


async def test_tv4_erc20_by_internal_call_is_credited(world: World) -> None:
    caller = await world.deploy("Caller")
    account = await world.account()
    await world.mint(caller, 6 * USDC)
    tx_hash = await world.call("Caller", caller, "move", world.token, await world.address(account), 6 * USDC)
    await world.mine(13)
    await world.deposit_status(tx_hash, "credited")
    assert await world.available(account) == 6 * USDC


async def test_tv5_internal_eth_is_not_credited(world: World) -> None:
    caller = await world.deploy("Caller")
    account = await world.account()
    tx_hash = await world.call("Caller", caller, "sendEther", await world.address(account), 10**17, value=10**17)
    await world.mine(13)
    await world.settled()
    assert (await world.deposit(tx_hash))["status"] == "unseen"


async def test_tv6_tv7_special_transactions_neither_credit_nor_stop_the_scanner(idle_world: World) -> None:
    """Types 0x64 (deposit of ETH from L1) and 0x6A (internal) stand in the blocks; a real one beside them counts."""
    world = idle_world
    account = await world.account()
    address = await world.address(account)
    async with EvmProxy(world.evm.rpc_url) as proxy:
        await world.mine(3)
        await proxy.inject(nitro.deposit(CHAIN_ID, address, 10**18))
        await proxy.inject(nitro.internal(CHAIN_ID, 1))
        await world.mine(1)
        async with world.behind(proxy.url), world.workers():
            tx_hash = await world.mint(address, 4 * USDC)
            await world.mine(13)
            await world.deposit_status(tx_hash, "credited")
    assert await world.available(account) == 4 * USDC
    assert len(await world.rows("SELECT id FROM exchange.deposits")) == 1


async def test_tv8_spoofed_transfer_is_ignored_and_visible(world: World) -> None:
    token = await world.deploy("HostileToken")
    account = await world.account()
    to = await world.address(account)
    tx_hash = await world.call("HostileToken", token, "spoof", world.token, to, 1_000_000 * USDC)
    await world.mine(13)
    row = await world.deposit_status(tx_hash, "ignored")
    assert row["reason"] == "unsupported_token"
    assert row["token"] == token
    assert await world.available(account) == 0
