"""Pictures that no launch uses go after some days; one that a launch uses never does, whenever it begins to."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from domain.launchpad.cids import cid_of
from domain.launchpad.launch_messages import Undone
from domain.launchpad.launching import LaunchPolicy
from domain.launchpad.pictures import read_picture
from domain.launchpad.request import LaunchRequest
from domain.shared.errors import Rejected
from storage.books import Books
from storage.database import Connection, make_pool, transaction
from storage.intents.launches import open_launch
from storage.intents.opened import Opened
from storage.intents.pictures import keep_picture, remove_picture
from storage.launchpad.launches import LaunchStore
from storage.retention import RetentionStore
from tests.launchpad_rows import wallet
from tests.picture_lab import png
from tests.token_launch_lab import TERMS
from tests.world.books import BooksSide

RULE = "unused_pictures"
PLATFORM = wallet()
POLICY = LaunchPolicy(
    cluster="localnet",
    platform=PLATFORM,
    program=wallet(),
    pool_program=wallet(),
    marketing=PLATFORM,
    treasury=PLATFORM,
    rewards=PLATFORM,
    tax_bps=200,
    referral_bps=2_500,
    listing_lamports=0,
    banner_s=60,
    top_s=60,
    budget_lamports=10**8,
)


class Side(BooksSide):
    """`who`: whose pictures these are."""

    def __init__(self, dsn: str, books: Books, who: str) -> None:
        super().__init__(dsn)
        self.books, self.who = books, who
        self.retention = RetentionStore(books, asset_days=7)

    async def upload(self, pad: int) -> str:
        content = png(pad=1_000 + pad)
        async with transaction(self.books.pool) as connection:
            return await keep_picture(
                connection,
                account_id=self.who,
                picture=read_picture(content),
                sha256=hashlib.sha256(content).hexdigest(),
                cid=cid_of(content),
                content=content,
            )

    async def aged(self) -> None:
        await self.rows("UPDATE launchpad.assets SET uploaded_at = uploaded_at - interval '8 days'")

    async def launch(self, connection: Connection, logo: str, **but: Any) -> Opened:
        now = datetime.now(UTC)
        values = {**TERMS, "starts_at": now, "ends_at": now + timedelta(days=1), "creator_wallet": wallet(), **but}
        return await open_launch(
            connection,
            account_id=self.who,
            request=LaunchRequest(logo=logo, **values),
            policy=POLICY,
            requested_by=self.who,
        )

    async def left(self) -> set[str]:
        return {row["id"] for row in await self.rows("SELECT id FROM launchpad.assets")}


@pytest_asyncio.fixture(loop_scope="session")
async def side(database: str) -> AsyncIterator[Side]:
    async with make_pool(database, size=4, name="pictures") as pool:
        books = BooksSide(database)
        yield Side(database, Books(pool), await books.account())


async def test_what_no_launch_uses_goes_after_some_days(side: Side) -> None:
    used, forgotten = await side.upload(1), await side.upload(2)
    async with transaction(side.books.pool) as connection:
        await side.launch(connection, used, banner=used)
    await side.aged()
    young = await side.upload(3)
    assert await side.retention.delete_batch(RULE) == (1, False)
    assert await side.left() == {used, young}
    assert forgotten not in await side.left()


async def test_what_was_uploaded_again_is_kept_from_then_on(side: Side) -> None:
    first = await side.upload(1)
    await side.aged()
    assert await side.upload(1) == first
    assert await side.retention.delete_batch(RULE) == (0, False)
    assert await side.left() == {first}


async def test_a_launch_that_was_undone_uses_none(side: Side) -> None:
    picture = await side.upload(1)
    async with transaction(side.books.pool) as connection:
        opened = await side.launch(connection, picture)
    await side.aged()
    assert await side.retention.delete_batch(RULE) == (0, False)
    await LaunchStore(side.books, POLICY).undone(Undone(launch_id=opened.subject_id))
    assert await side.retention.delete_batch(RULE) == (1, False)


async def test_a_launch_that_is_being_opened_keeps_its_picture(side: Side) -> None:
    """It is not committed yet, and nobody waits for it."""
    picture = await side.upload(1)
    await side.aged()
    async with transaction(side.books.pool) as connection:
        await side.launch(connection, picture)
        assert await asyncio.wait_for(side.retention.delete_batch(RULE), 60) == (0, False)
    assert await side.retention.delete_batch(RULE) == (0, False)
    assert await side.left() == {picture}


async def test_a_launch_whose_picture_is_being_removed_is_refused(side: Side) -> None:
    picture = await side.upload(1)

    async def begin() -> None:
        async with transaction(side.books.pool) as connection:
            await side.launch(connection, picture)

    async with transaction(side.books.pool) as connection:
        await remove_picture(connection, picture, principal="test")
        waits = asyncio.create_task(begin())
        await asyncio.sleep(0.3)
        assert not waits.done()
    with pytest.raises(Rejected, match="logo: there is no such picture"):
        await waits
    assert await side.rows("SELECT 1 FROM launchpad.launches") == []


async def test_anothers_picture_is_not_used(side: Side) -> None:
    theirs = await side.upload(1)
    side.who = await side.account()
    with pytest.raises(Rejected, match="it is not yours"):
        async with transaction(side.books.pool) as connection:
            await side.launch(connection, theirs)
