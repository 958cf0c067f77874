"""The periodic comparison of the books with Solana."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from activities.beating import beating
from domain.launchpad.reconcile import Reconcile, Reconciled, SaleOnBooks, SaleOnChain, compare

if TYPE_CHECKING:
    from gateways.solana.sale_view import SaleViews
    from storage.launchpad.reconcile import ReconcileStore


class ReconcileActivities:
    """Compares, for the schedule and for `/api/system/invariants`."""

    def __init__(self, views: SaleViews, store: ReconcileStore) -> None:
        self.views, self.store = views, store

    async def compared(self) -> Reconciled:
        """Every sale's events, positions, vault, mint and money at a finalized slot, and projects without a sale.

        The books are read first, then the chain, not older than they are. What they lack is only behind when the chain
        has finalized transactions that they have not read; else it is missing.
        Raises: Unavailable when no node answers: not knowing is not a difference.
        """
        books = await self.store.sales()
        known = max((sale.cursor_slot for sale in books), default=0)
        chain = await self.views.look([sale.keys for sale in books], min_slot=known)
        differs: dict[str, str] = {}
        late = 0
        for sale, seen in zip(books, chain, strict=True):
            wrong, behind = compare(sale, seen)
            if behind and await self._on_its_way(sale, seen):
                behind = ()
                late += 1
            if wrong or behind:
                differs[sale.id] = "; ".join((*wrong, *behind))
        for project_id, name in (await self.store.orphans()).items():
            differs[project_id] = f"{name} is shown without a sale"
        summary = f"{len(books)} sales compared, {late} behind, {len(differs)} differ"
        return Reconciled(sales=len(books), behind=late, differs=differs, summary=summary)

    async def _on_its_way(self, sale: SaleOnBooks, seen: SaleOnChain) -> bool:
        return seen.slot > 0 and await self.views.newer(sale.keys.address, sale.cursor)

    @activity.defn
    async def reconcile_launchpad(self, command: Reconcile) -> Reconciled:
        """Compare the books with the chain; wake the feed for what is behind, call operators for what differs.

        Effect: a job row, alerts opened and closed: one transaction.
        Again:  compares again; an open alert is counted.
        """
        async with beating():
            found = await self.compared()
            await self.store.record(found)
        return found
