"""The local Polygon: a second anvil beside the one that plays Arbitrum, small and with the real chain's numbers.

Its chain id is the real one's (api.md 2): nothing of ours ever signs there. Its first block is one of autumn 2026, so
that contracts are valid as the built-in table says. Nobody has a key: the operator's transactions are impersonated and
gas costs nothing. State and blocks are saved as those of the other chain are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from localnet.evm import Evm, binary
from localnet.jsonrpc import JsonRpc
from localnet.ports import HOST
from localnet.process import ChildSpec

CHAIN_ID = 137
FIRST_BLOCK = 92_000_000
BLOCK_SECONDS = 1.0
PAST_STATES = 16


@dataclass
class PolygonNode(Evm):
    """One node; `block_time=None` mines only when told to."""

    block_time: float | None = BLOCK_SECONDS
    chain_id: int = CHAIN_ID
    first_block: int = FIRST_BLOCK

    def argv(self) -> tuple[str, ...]:
        argv = [str(binary()), "--host", HOST, "--port", str(self.port), "--chain-id", str(self.chain_id)]
        argv += ["--number", str(self.first_block), "--hardfork", "cancun", "--accounts", "0", "--no-cors", "--quiet"]
        argv += ["--base-fee", "0", "--gas-price", "0", "--disable-min-priority-fee", "--auto-impersonate"]
        argv += ["--slots-in-an-epoch", str(self.slots_in_an_epoch), "--threads", "2"]
        argv += ["--max-persisted-states", str(PAST_STATES), "--cache-path", str(self.directory / "cache")]
        argv += ["--no-mining"] if self.block_time is None else ["--block-time", str(self.block_time)]
        if self.state:
            argv += ["--state", str(self._loadable), "--state-interval", "86400"]
        return tuple(argv)

    async def ready(self) -> bool:
        async with JsonRpc(self.rpc_url, timeout=5) as rpc:
            return int(await rpc("eth_chainId"), 16) == self.chain_id

    def child(self, log: Path | None, needs: tuple[str, ...] = ()) -> ChildSpec:
        return replace(super().child(log, needs), name="polygon", group="polygon")

    async def set_up(self) -> None:
        """The contracts, and from then on every block is saved. At every start."""
        from localnet.polymarket.chain import PolygonExchange  # its encoders take long to import

        exchange = PolygonExchange(self.rpc_url)
        try:
            await exchange.prepare()
        finally:
            await exchange.close()
        await self.keep_from_now()

    async def keep_from_now(self) -> None:
        """Saves what is there and then every block."""
        keeper = self.keep()
        while not await keeper.save():
            pass
