"""A second copy of what launches have pinned, on Arweave: made once a launch is live, since it stays there for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from temporalio import activity

from activities.beating import beating, leave_if_stopping
from domain.launchpad.launch_messages import Done
from domain.shared.errors import Rejected, Unavailable

if TYPE_CHECKING:
    from gateways.arweave import Arweave
    from storage.jobs import JobStore
    from storage.launchpad.mirrors import MirrorFile, MirrorStore

AT_ONCE: Final = 20
"""Files in a round."""
AGAIN_S: Final = 3_600
"""What no gateway shows for so long is sent again."""
LATE_S: Final = 7_200
"""An operator hears of files that have waited longer."""
BY: Final = "arweave mirror"
ALERT: Final = "mirror_behind"


class MirrorActivities:
    def __init__(self, store: MirrorStore, arweave: Arweave, jobs: JobStore) -> None:
        self.store = store
        self.arweave = arweave
        self.jobs = jobs

    @activity.defn
    async def mirror_files(self) -> Done:
        """Send what waits, and look whether what was sent is there.

        Effect: files on Arweave, for ever; a row for each: sent, seen; an alert while one is refused or late. What
                was away ends the round as Unavailable, after the others were tried.
        Again:  the same bytes under the same key are the same item; what was seen is not looked at any more.
        """
        seen, refused, away = 0, dict[str, str](), None
        async with beating():
            waiting = await self.store.waiting(AT_ONCE)
            for cid in waiting:
                leave_if_stopping()
                try:
                    seen += await self._mirror(await self.store.take(cid, again_s=AGAIN_S))
                except Rejected as no:
                    refused[cid] = no.detail
                except Unavailable as silent:
                    away = silent
            await self._report(refused)
        if away is not None:
            raise away
        return Done(detail=f"{seen} of {len(waiting)} files that waited are on Arweave, {len(refused)} refused")

    async def _mirror(self, file: MirrorFile) -> bool:
        """Whether it was seen there."""
        tags = (("Content-Type", file.content_type), ("App-Name", "Holdfast"), ("IPFS-CID", file.cid))
        name = self.arweave.name_of(file.content, tags)
        if not file.sent:
            await self.arweave.send(file.content, tags)
            await self.store.sent(file.cid, name)
        found = await self.arweave.read(name)
        if found is None:
            return False
        if found != file.content:
            raise Rejected("upstream_refused", f"the gateway has other bytes under {name}")
        await self.store.seen(file.cid, name)
        return True

    async def _report(self, refused: dict[str, str]) -> None:
        late = await self.store.late(LATE_S)
        detail = "; ".join([*(f"{cid}: {why}" for cid, why in refused.items()), f"{late} wait for over {LATE_S} s"])
        await self.jobs.report(ALERT, "arweave", bad=bool(refused or late), detail=detail, by=BY)
