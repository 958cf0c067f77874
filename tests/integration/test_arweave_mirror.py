"""Copies on Arweave, on real Postgres and a bundler that speaks Turbo's wire format: once, in full, and seen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from pydantic import SecretStr
from solders.keypair import Keypair
from temporalio.testing import ActivityEnvironment

from activities.launchpad.mirroring import AGAIN_S, LATE_S, MirrorActivities
from domain.launchpad.cids import cid_of
from domain.launchpad.launch_messages import Done, LaunchRef
from domain.shared.errors import Unavailable
from gateways.arweave import Arweave
from gateways.protocols import Quarantined
from localnet.upstreams import Upstreams
from storage.accounts import ensure_admin, new_key
from storage.books import Books
from storage.database import make_pool
from storage.jobs import JobStore
from storage.launchpad.mirrors import MirrorStore
from tests.integration.test_pinning import BANNER, LOGO, Desk


class Mirror(Desk):
    """Launches whose files are pinned, and the copies over one bundler."""

    def open(self, timeout_s: float = 5) -> None:
        books = Books(self.pool)
        self.arweave = Arweave(self.web.url, self.web.url, SecretStr(str(Keypair())), timeout_s=timeout_s)
        self.copies = MirrorActivities(MirrorStore(books), self.arweave, JobStore(books))

    async def live(self, symbol: str = "HOLD", **pictures: str) -> LaunchRef:
        launch = await self.launch(symbol, **pictures)
        await self.do("pin_pictures", launch)
        await self.do("pin_metadata", launch)
        await self.rows("UPDATE launchpad.launches SET status = 'live' WHERE id = %s", launch.launch_id)
        return launch

    async def round(self) -> str:
        done: Done = await ActivityEnvironment().run(self.copies.mirror_files)
        return done.detail

    async def copied(self) -> dict[str, str]:
        """CID to name on Arweave of what was seen there."""
        rows = await self.rows("SELECT cid, arweave_id FROM launchpad.mirrors WHERE seen_at IS NOT NULL")
        return {row["cid"]: row["arweave_id"] for row in rows}

    async def alerts(self) -> list[str]:
        rows = await self.rows(
            "SELECT detail FROM platform.alerts WHERE code = 'mirror_behind' AND resolved_at IS NULL"
        )
        return [row["detail"] for row in rows]

    @property
    def items(self) -> dict[str, Any]:
        return self.web.arweave.items.kept


@pytest_asyncio.fixture(loop_scope="session")
async def mirror(database: str) -> AsyncIterator[Mirror]:
    async with Upstreams() as web, make_pool(database, size=4, name="test") as pool:
        made = Mirror(pool, await ensure_admin(pool, new_key()), web)
        made.open()
        yield made
        await made.node.aclose()
        await made.arweave.aclose()


async def test_files_of_a_live_launch_are_copied_once_byte_for_byte(mirror: Mirror) -> None:
    await mirror.live(logo=await mirror.picture(LOGO), banner=await mirror.picture(BANNER))
    assert await mirror.round() == "3 of 3 files that waited are on Arweave, 0 refused"
    copied = await mirror.copied()
    async with httpx.AsyncClient() as anybody:
        for cid, name in copied.items():
            given = await anybody.get(f"{mirror.web.url}/raw/{name}")
            assert cid_of(given.content) == cid
            assert given.headers["content-type"] in ("image/png", "image/gif", "application/json")
    assert {cid_of(LOGO), cid_of(BANNER)} < set(copied)
    calls = mirror.web.calls["arweave"]
    assert await mirror.round() == "0 of 0 files that waited are on Arweave, 0 refused"
    assert (mirror.web.calls["arweave"], len(mirror.items)) == (calls, 3)


async def test_nothing_of_a_launch_that_may_still_be_undone_goes_to_arweave(mirror: Mirror) -> None:
    launch = await mirror.launch(logo=await mirror.picture(LOGO))
    await mirror.do("pin_pictures", launch)
    await mirror.round()
    assert mirror.items == {}


async def test_one_picture_of_two_launches_is_one_copy(mirror: Mirror) -> None:
    picture = await mirror.picture(LOGO)
    await mirror.live("ONE", logo=picture)
    await mirror.live("TWO", logo=picture)
    await mirror.round()
    assert len(mirror.items) == 3, "the picture, and two files of metadata"


async def test_an_answer_that_was_lost_costs_nothing(mirror: Mirror) -> None:
    """The bundler took it and nobody heard: sent again it is the same item."""
    await mirror.live()
    mirror.web.fail("arweave", "done_then_drop", match="tx")
    with pytest.raises(Unavailable) as caught:
        await mirror.round()
    assert caught.value.code == "mirror_unavailable"
    await mirror.round()
    assert (len(mirror.items), len(await mirror.copied())) == (1, 1)


async def test_what_a_bundler_lost_is_sent_again(mirror: Mirror) -> None:
    await mirror.live()
    mirror.web.fail("arweave", "forgets", match="tx")
    await mirror.round()
    await mirror.round()
    assert (mirror.items, await mirror.copied()) == ({}, {}), "it may only be slow to show it"
    await mirror.rows(f"UPDATE launchpad.mirrors SET sent_at = sent_at - interval '{AGAIN_S + 1} seconds'")
    await mirror.round()
    assert (len(mirror.items), len(await mirror.copied())) == (1, 1)


async def test_without_credit_an_operator_hears_of_it_and_the_others_go_on(mirror: Mirror) -> None:
    await mirror.live(logo=await mirror.picture(LOGO))
    mirror.web.fail("arweave", "unpaid", times=None, match=cid_of(LOGO))
    await mirror.round()
    [detail] = await mirror.alerts()
    assert "no credit left" in detail
    assert cid_of(LOGO) in detail
    assert set(await mirror.copied()).isdisjoint({cid_of(LOGO)})
    assert len(mirror.items) == 1
    mirror.web.faults.clear()
    await mirror.round()
    assert (len(await mirror.copied()), await mirror.alerts()) == (2, [])


async def test_another_name_is_quarantined_and_other_bytes_are_not_believed(mirror: Mirror) -> None:
    await mirror.live()
    mirror.web.fail("arweave", "renames", match="tx")
    with pytest.raises(Quarantined):
        await mirror.round()
    mirror.web.fail("arweave", "renames", match="raw")
    await mirror.round()
    assert await mirror.copied() == {}
    assert "other bytes" in (await mirror.alerts())[0]
    await mirror.round()
    assert (len(await mirror.copied()), await mirror.alerts()) == (1, [])


async def test_a_bundler_that_stays_away_is_an_alert_after_two_hours(mirror: Mirror) -> None:
    launch = await mirror.live()
    mirror.web.fail("arweave", "http_500", times=None)
    with pytest.raises(Unavailable):
        await mirror.round()
    assert await mirror.alerts() == []
    await mirror.rows(
        f"UPDATE launchpad.launches SET updated_at = now() - interval '{LATE_S + 1} seconds' WHERE id = %s",
        launch.launch_id,
    )
    with pytest.raises(Unavailable):
        await mirror.round()
    assert await mirror.alerts() == [f"1 wait for over {LATE_S} s"]


async def test_an_answer_that_never_comes_keeps_no_other_file_waiting(mirror: Mirror) -> None:
    await mirror.live(logo=await mirror.picture(LOGO))
    mirror.web.fail("arweave", "drop", match=f"tx {cid_of(LOGO)}")
    with pytest.raises(Unavailable):
        await mirror.round()
    assert len(await mirror.copied()) == 1


async def test_a_file_that_is_refused_keeps_nobody_waiting(mirror: Mirror) -> None:
    """A round has room for twenty; the refused one comes last in the next."""
    for number in range(21):
        await mirror.live(f"L{number}")
    mirror.web.fail("arweave", "unpaid", times=20, match="tx")
    await mirror.round()
    await mirror.round()
    assert len(await mirror.copied()) == 20
    await mirror.round()
    assert len(await mirror.copied()) == 21


async def test_a_bundler_refuses_what_was_not_signed_like_this(mirror: Mirror) -> None:
    async with httpx.AsyncClient(base_url=mirror.web.url) as stranger:
        for raw in (b"", bytes(200), b"\x02\x00" + b"x" * 300):
            assert (await stranger.post("/v1/tx", content=raw)).status_code == 400


def test_a_key_that_is_none_is_named_and_not_shown() -> None:
    with pytest.raises(ValueError, match="ARWEAVE_KEYPAIR is not a Solana keypair") as caught:
        Arweave("http://x", "http://x", SecretStr("secret-value"))
    assert "secret-value" not in str(caught.value)
