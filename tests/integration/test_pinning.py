"""Pinning on real Postgres and the local node: what is begun can be undone, and no launch undoes another."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import httpx
import pytest
import pytest_asyncio
from psycopg.types.json import Jsonb
from temporalio.testing import ActivityEnvironment

from activities.launchpad.pinning import PinningActivities
from domain.launchpad.cids import cid_of
from domain.launchpad.launch_messages import Done, LaunchRef
from domain.launchpad.pictures import read_picture
from domain.launchpad.request import SOL, LaunchRequest
from domain.shared.base58 import encode
from domain.shared.errors import Broken, Rejected, Unavailable
from gateways.ipfs import Kubo
from localnet.upstreams import Upstreams
from storage.accounts import ensure_admin, new_key
from storage.books import Books
from storage.database import Pool, make_pool, transaction
from storage.events import new_id
from storage.intents.pictures import keep_picture
from storage.launchpad.pins import PinStore
from tests.patience import until
from tests.picture_lab import gif, png

LOGO, BANNER = png(pad=400_000), gif(30, 20)


class Desk:
    """Launches with pictures, and the activities over one node."""

    def __init__(self, pool: Pool, account_id: str, web: Upstreams) -> None:
        self.pool, self.account_id, self.web = pool, account_id, web
        self.node = Kubo(web.url, timeout_s=5)
        self.store = PinStore(Books(pool), f"{web.url}/ipfs")
        self.made = PinningActivities(self.store, self.node)

    async def picture(self, content: bytes) -> str:
        async with transaction(self.pool) as connection:
            return await keep_picture(
                connection,
                account_id=self.account_id,
                picture=read_picture(content),
                sha256=sha256(content).hexdigest(),
                cid=cid_of(content),
                content=content,
            )

    async def launch(self, symbol: str = "HOLD", **pictures: str) -> LaunchRef:
        now = datetime.now(UTC)
        request = LaunchRequest(
            name="Hold",
            symbol=symbol,
            total_supply=10**18,
            curve_type="linear",
            initial_price=10**10,
            target_price=10**11,
            soft_cap_lamports=SOL,
            hard_cap_lamports=10 * SOL,
            starts_at=now,
            ends_at=now + timedelta(days=1),
            creator_wallet=encode(bytes(range(1, 33))),
            **pictures,
        )
        launch_id = new_id()
        await self.rows(
            """INSERT INTO launchpad.launches
                 (id, account_id, request, cluster, signing, creator_wallet, budget_lamports)
               VALUES (%s, %s, %s, 'localnet', 'platform', '', 0)""",
            launch_id, self.account_id, Jsonb(request.model_dump(mode="json")),
        )  # fmt: skip
        return LaunchRef(launch_id=launch_id)

    async def rows(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        async with transaction(self.pool) as connection:
            cursor = await connection.execute(query, arguments or None)
            return await cursor.fetchall() if cursor.description else []

    async def do(self, name: str, launch: LaunchRef) -> Done:
        done: Done = await ActivityEnvironment().run(getattr(self.made, name), launch)
        return done

    @property
    def kept(self) -> set[str]:
        return set(self.web.ipfs.files.pins)


@pytest_asyncio.fixture(loop_scope="session")
async def desk(database: str) -> AsyncIterator[Desk]:
    async with Upstreams() as web, make_pool(database, size=4, name="test") as pool:
        made = Desk(pool, await ensure_admin(pool, new_key()), web)
        yield made
        await made.node.aclose()


async def test_pictures_and_metadata_are_kept_and_anybody_reads_them(desk: Desk) -> None:
    launch = await desk.launch(logo=await desk.picture(LOGO), banner=await desk.picture(BANNER))
    done = await desk.do("pin_pictures", launch)
    assert {link["href"].rsplit("/", 1)[1] for link in done.links} == {cid_of(LOGO), cid_of(BANNER)} == desk.kept
    await desk.do("pin_metadata", launch)
    (row,) = await desk.rows(
        "SELECT metadata_cid, metadata_uri FROM launchpad.launches WHERE id = %s", launch.launch_id
    )
    assert row["metadata_uri"] == f"{desk.store.gateway}/{row['metadata_cid']}"
    async with httpx.AsyncClient() as anybody:
        metadata = json.loads((await anybody.get(row["metadata_uri"])).content)
        assert metadata["symbol"] == "HOLD"
        assert (await anybody.get(metadata["image"])).content == LOGO
    kinds = await desk.rows("SELECT kind, pinned_at IS NOT NULL AS pinned FROM launchpad.pins ORDER BY kind")
    assert kinds == [{"kind": kind, "pinned": True} for kind in ("banner", "logo", "metadata")]


async def test_again_changes_nothing_not_even_with_another_gateway(desk: Desk) -> None:
    launch = await desk.launch(logo=await desk.picture(LOGO))
    first = [await desk.do(name, launch) for name in ("pin_pictures", "pin_metadata")]
    kept = desk.kept
    desk.store.gateway = "https://other.example/ipfs"
    await desk.do("pin_pictures", launch)
    assert (await desk.do("pin_metadata", launch)).detail == first[1].detail
    assert desk.kept == kept


async def test_a_launch_without_pictures_pins_its_metadata_alone(desk: Desk) -> None:
    launch = await desk.launch()
    assert (await desk.do("pin_pictures", launch)).links == ()
    await desk.do("pin_metadata", launch)
    assert len(desk.kept) == 1


async def test_one_picture_in_three_places_is_one_pin(desk: Desk) -> None:
    picture = await desk.picture(LOGO)
    launch = await desk.launch(logo=picture, banner=picture, icon=picture)
    assert len((await desk.do("pin_pictures", launch)).links) == 1
    await desk.do("unpin", launch)
    assert desk.kept == set()


async def test_undoing_takes_back_what_was_begun_wherever_it_stopped(desk: Desk) -> None:
    launch = await desk.launch(logo=await desk.picture(LOGO), banner=await desk.picture(BANNER))
    await desk.do("unpin", launch)
    desk.web.fail("ipfs", "done_then_drop", times=1)
    with pytest.raises(Unavailable):
        await desk.do("pin_pictures", launch)
    assert len(desk.kept) == 1, "the node did it, and nobody was told"
    await desk.do("unpin", launch)
    assert desk.kept == set()
    await desk.do("unpin", launch)
    rows = await desk.rows("SELECT FROM launchpad.pins WHERE unpinned_at IS NULL")
    assert rows == []


async def test_unpinning_that_fails_halfway_goes_on(desk: Desk) -> None:
    launch = await desk.launch(logo=await desk.picture(LOGO), banner=await desk.picture(BANNER))
    await desk.do("pin_pictures", launch)
    desk.web.fail("ipfs", "http_500", times=1, match=max(desk.kept))
    with pytest.raises(Unavailable):
        await desk.do("unpin", launch)
    assert len(desk.kept) == 1
    await desk.do("unpin", launch)
    assert desk.kept == set()


async def test_a_file_of_two_launches_goes_with_the_last_of_them(desk: Desk) -> None:
    picture = await desk.picture(LOGO)
    one, other = await desk.launch("ONE", logo=picture), await desk.launch("TWO", logo=picture)
    for launch in (one, other):
        await desk.do("pin_pictures", launch)
    await desk.do("unpin", one)
    assert desk.kept == {cid_of(LOGO)}
    await desk.do("unpin", other)
    assert desk.kept == set()


async def test_nobody_claims_what_another_launch_is_letting_go_of(desk: Desk) -> None:
    picture = await desk.picture(LOGO)
    one, other = await desk.launch("ONE", logo=picture), await desk.launch("TWO", logo=picture)
    await desk.do("pin_pictures", one)
    assert await desk.store.release(one.launch_id) == [cid_of(LOGO)]
    with pytest.raises(Unavailable) as caught:
        await desk.do("pin_pictures", other)
    assert caught.value.code == "pinning_unavailable"
    await desk.do("unpin", one)
    await desk.do("pin_pictures", other)
    assert desk.kept == {cid_of(LOGO)}


async def test_pins_and_unpins_at_once_never_lose_a_held_file(desk: Desk) -> None:
    picture = await desk.picture(LOGO)
    launches = [await desk.launch(f"L{n}", logo=picture) for n in range(6)]

    async def got_through(name: str, launch: LaunchRef) -> bool:
        try:
            await desk.do(name, launch)
        except Unavailable:
            return False
        return True

    async def come_and_go(launch: LaunchRef, stays: bool) -> None:
        for name in ("pin_pictures", "unpin", "pin_pictures") if stays else ("pin_pictures", "unpin"):
            await until(lambda name=name: got_through(name, launch), every=0.01)  # type: ignore[misc]

    await asyncio.gather(*(come_and_go(launch, n == 0) for n, launch in enumerate(launches)))
    assert desk.kept == {cid_of(LOGO)}
    held = await desk.rows("SELECT launch_id::text AS id FROM launchpad.pins WHERE unpinned_at IS NULL")
    assert held == [{"id": launches[0].launch_id}]


@pytest.mark.parametrize(("fault", "error"), [("renames", Broken), ("forgets", Unavailable), ("http_500", Unavailable)])
async def test_a_node_that_lies_or_fails_leaves_nothing_recorded(
    desk: Desk, fault: str, error: type[Exception]
) -> None:
    launch = await desk.launch(logo=await desk.picture(LOGO))
    desk.web.fail("ipfs", fault)
    with pytest.raises(error):
        await desk.do("pin_metadata", launch)
    assert await desk.rows("SELECT FROM launchpad.pins WHERE pinned_at IS NOT NULL") == []
    (row,) = await desk.rows("SELECT metadata_cid FROM launchpad.launches WHERE id = %s", launch.launch_id)
    assert row["metadata_cid"] is None
    await desk.do("pin_metadata", launch)


async def test_no_node_and_no_launch(desk: Desk) -> None:
    launch = await desk.launch(logo=await desk.picture(LOGO))
    with pytest.raises(Rejected):
        await desk.do("pin_metadata", LaunchRef(launch_id=new_id()))
    desk.made = PinningActivities(desk.store, None)
    with pytest.raises(Unavailable) as caught:
        await desk.do("pin_pictures", launch)
    assert "IPFS_API_URL" in caught.value.detail
    assert await desk.rows("SELECT FROM launchpad.pins") == [], "nothing is begun that could not be undone"
    await desk.do("unpin", launch)
