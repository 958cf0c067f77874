"""What all nodes know together, where one that is behind or has forgotten would be believed: each is asked alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from domain.launchpad.solana import Account, AccountFilter, Commitment, SignatureRow
from gateways.solana.failover import Failover, Quarantine
from gateways.solana.reading import Reading
from gateways.solana.rpc import Node

PAGE: Final = 1_000


class Everywhere:
    """Raises Unavailable solana_unavailable when no node answers; one that does not has no opinion."""

    def __init__(self, nodes: Failover, *, quarantine: Quarantine) -> None:
        self.nodes, self.quarantine = nodes, quarantine

    async def _alone(self, node: Node) -> Reading:
        await self.nodes.admit(node)
        return Reading([node], quarantine=self.quarantine)

    async def older(self, address: str, until: str | None, before: str) -> list[SignatureRow]:
        """Of what the nodes tell of an address before a signature, newest first: the longest."""

        async def ask(node: Node) -> list[SignatureRow]:
            return await (await self._alone(node)).signatures_for(address, until=until, before=before, limit=PAGE)

        return max(await self.nodes.each(ask), key=len)

    async def program_accounts(
        self, program: str, *, filters: Sequence[AccountFilter], commitment: Commitment
    ) -> list[Account]:
        """Every account that any node shows, once; the newest of those that differ."""

        async def ask(node: Node) -> list[Account]:
            return await (await self._alone(node)).program_accounts(program, filters=filters, commitment=commitment)

        found: dict[str, Account] = {}
        for account in sorted((one for told in await self.nodes.each(ask) for one in told), key=lambda one: one.slot):
            found[account.address] = account
        return list(found.values())
