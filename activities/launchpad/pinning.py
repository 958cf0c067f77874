"""Pictures and metadata of a launch on IPFS, and off it again when the launch is undone.

Each file's bytes are on the books first and its claim is written before the pinning node hears of it; so a retry pins
the same bytes under the same name, and undoing finds whatever was begun.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from activities.beating import beating
from domain.launchpad.launch_messages import Done, LaunchRef
from domain.launchpad.metadata import uri_of
from domain.shared.errors import Broken, Unavailable

if TYPE_CHECKING:
    from gateways.ipfs import Pinning
    from storage.launchpad.pins import PinFile, PinStore


class PinningActivities:
    """`node` None: no pinning node is configured."""

    def __init__(self, store: PinStore, node: Pinning | None) -> None:
        self.store = store
        self._node = node

    @property
    def node(self) -> Pinning:
        """The pinning node. Raises: Unavailable."""
        if self._node is None:
            raise Unavailable("pinning_unavailable", "IPFS_API_URL names no pinning node", retry_after_s=60)
        return self._node

    @activity.defn
    async def pin_pictures(self, command: LaunchRef) -> Done:
        """Have logo, banner and icon kept.

        Effect: files on the pinning node; their claims before, their times after.
        Again:  the same bytes have the same CID: a pin more than once is one pin.
        """
        async with beating():
            provider = self.node.provider
            files = await self.store.claim_pictures(command.launch_id)
            for file in files:
                await self._pin(file)
            await self.store.record(command.launch_id, [file.cid for file in files])
        return Done(detail=f"{len(files)} pictures kept by {provider}", links=self._links(files))

    @activity.defn
    async def pin_metadata(self, command: LaunchRef) -> Done:
        """Have the metadata file kept.

        Effect: a file on the pinning node; its claim and bytes before; after, its address in the launch's row.
        Again:  the bytes are kept from the first time on: one CID, one pin.
        """
        async with beating():
            provider = self.node.provider
            file = await self.store.claim_metadata(command.launch_id)
            await self._pin(file)
            uri = await self.store.record_metadata(command.launch_id, file.cid)
        return Done(detail=f"{uri} kept by {provider}", links=self._links([file]))

    @activity.defn
    async def unpin(self, command: LaunchRef) -> Done:
        """Let go of everything the launch had kept, unless another launch holds it.

        Effect: files no longer kept; before, that they are given up, after, that they are gone.
        Again:  what is not pinned needs no unpinning; nothing pinned at all is nothing to do.
        """
        async with beating():
            cids = await self.store.release(command.launch_id)
            for cid in cids:
                await self.node.unpin(cid)
            await self.store.released(command.launch_id)
        return Done(detail=f"{len(cids)} files no longer kept")

    async def _pin(self, file: PinFile) -> None:
        """Pin, and believe neither the name nor the pin without a look."""
        cid = await self.node.pin(file.content, file.name)
        if cid != file.cid:
            raise Broken("pin_mismatch", f"{file.name}: its bytes are {cid}, the books say {file.cid}")
        if not await self.node.pinned(cid):
            raise Unavailable("pinning_unavailable", f"{self.node.provider} does not keep {cid} after pinning it")

    def _links(self, files: list[PinFile]) -> tuple[dict[str, str], ...]:
        return tuple({"rel": file.name, "href": uri_of(self.store.gateway, file.cid)} for file in files)
