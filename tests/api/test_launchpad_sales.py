"""Sales and positions, read as visitors read them."""

from __future__ import annotations

from psycopg.types.json import Jsonb

from api.launchpad.sale_views import BuyAsk
from tests import launchpad_rows as rows
from tests.api.lab import Api
from tests.api.projects_lab import buy, make
from tests.launchpad_rows import SOL


async def test_a_cancelled_sale_is_told_as_refunded(api: Api) -> None:
    row = await make(api)
    await api.rows("UPDATE launchpad.sales SET status = 'cancelled' WHERE id = %s", row.sale_id)
    found = (await api.get(f"/api/launchpad/sales/{row.sale_id}")).json()
    assert (found["status"], found["cancelled"]) == ("refunded", True)
    standing = (await api.get(f"/api/sync/launchpad/{row.project_id}")).json()
    assert (standing["sale_status"], standing["cancelled"]) == ("refunded", True)


async def test_what_vests_is_told_by_the_chains_clock(api: Api) -> None:
    row = await make(api)
    assert (await api.get(f"/api/launchpad/sales/{row.sale_id}")).json()["vesting"] is None
    for kind, data, tokens, lamports in (
        ("Graduated", {"at": 1_000, "vested_lamports": 9 * SOL, "vested_tokens": 9_000_000}, None, None),
        ("VestedClaimed", {}, 1_000_000, SOL),
        ("VestedClaimed", {}, 500_000, SOL // 2),
    ):
        await api.rows(
            """INSERT INTO launchpad.sale_events (sale_id, signature, ordinal, slot, kind, tokens, value_lamports, data)
               VALUES (%s, %s, 0, 1, %s, %s, %s, %s)""",
            row.sale_id, rows.wallet(), kind, tokens, lamports, Jsonb(data),
        )  # fmt: skip
    await api.rows(
        """UPDATE launchpad.sales SET cliff_seconds = 100, vest_seconds = 400, counters = '{"at": 1200}'
           WHERE id = %s""",
        row.sale_id,
    )
    assert (await api.get(f"/api/launchpad/sales/{row.sale_id}")).json()["vesting"] == {
        "sol": "9", "tokens": "9", "vested_sol": "3", "vested_tokens": "3", "claimed_sol": "1.5",
        "claimed_tokens": "1.5", "cliff_at": "1970-01-01T00:18:20.000000Z", "ends_at": "1970-01-01T00:23:20.000000Z",
    }  # fmt: skip


async def test_positions_come_newest_first_page_by_page(api: Api) -> None:
    row, wallets = await make(api), [rows.wallet() for _ in range(5)]
    for wallet in wallets:
        await buy(api, row, SOL // 10, wallet)
    path, found, cursor = f"/api/launchpad/sales/{row.sale_id}/positions?limit=2", [], ""
    for count in (2, 2, 1):
        page = (await api.get(path + cursor)).json()
        assert len(page["items"]) == count
        found += [item["wallet"] for item in page["items"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert found == wallets[::-1]
    [only] = (await api.get(f"{path}&wallet={wallets[0]}")).json()["items"]
    assert only["wallet"] == wallets[0]


def test_a_supply_without_decimals_can_be_asked_for_whole() -> None:
    asked = BuyAsk.model_validate({"wallet": rows.wallet(), "tokens": "9" * 18, "max_sol": "1"})
    assert asked.tokens == (10**18 - 1) * 10**9
    assert asked.max_sol == SOL
