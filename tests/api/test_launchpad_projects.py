"""Projects, tokens, promotions, programs and the sync routes, read as visitors read them."""

from __future__ import annotations

from typing import Any

from domain.exchange.custody import Solvency
from domain.launchpad import curves
from domain.launchpad.reconcile import Reconciled
from domain.launchpad.sale import ReferralState
from domain.shared.errors import Unavailable
from domain.shared.money import format_amount
from storage.database import transaction
from tests import launchpad_rows as rows
from tests.api.lab import Api, problem
from tests.api.projects_lab import buy, make
from tests.launchpad_rows import CURVE, MOST, SOL, SUPPLY

READER = ["launchpad:read"]


async def listed(api: Api, query: str = "") -> list[str]:
    answer = await api.get(f"/api/launchpad/projects{query}")
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


async def test_visitors_see_what_is_open_to_them(fresh_api: Api) -> None:
    made = {status: await make(fresh_api, status=status)
            for status in ("preparing", "upcoming", "active", "ended", "undone")}  # fmt: skip
    assert await listed(fresh_api) == [made[s].project_id for s in ("ended", "active", "upcoming")]
    for status in ("upcoming", "active", "ended"):
        assert await listed(fresh_api, f"?status={status}") == [made[status].project_id]
    problem(await fresh_api.get("/api/launchpad/projects?status=undone"), 400, "validation_failed")
    for hidden in ("preparing", "undone"):
        problem(await fresh_api.get(f"/api/launchpad/token/{made[hidden].mint}"), 404, "not_found")
        problem(await fresh_api.get(f"/api/sync/launchpad/{made[hidden].project_id}"), 404, "not_found")
        problem(await fresh_api.get(f"/api/promo/status/{made[hidden].project_id}"), 404, "not_found")


async def test_the_list_is_filtered_and_paged(fresh_api: Api) -> None:
    creator = rows.wallet()
    mine = [(await make(fresh_api, creator_wallet=creator)).project_id for _ in range(3)]
    other = await make(fresh_api, bonding_curve_type="exponential")
    assert await listed(fresh_api, f"?creator_wallet={creator}") == mine[::-1]
    assert await listed(fresh_api, "?curve=exponential") == [other.project_id]
    first = (await fresh_api.get("/api/launchpad/projects?limit=3")).json()
    second = (await fresh_api.get(f"/api/launchpad/projects?limit=3&cursor={first['next_cursor']}")).json()
    assert [i["id"] for i in [*first["items"], *second["items"]]] == [other.project_id, *mine[::-1]]
    assert second["next_cursor"] is None
    problem(await fresh_api.get("/api/launchpad/projects?cursor=x"), 400, "invalid_cursor")


async def test_paid_places_come_first_while_they_last(fresh_api: Api) -> None:
    made = [await make(fresh_api) for _ in range(5)]
    top, banner, featured, expired, newest = made
    async with transaction(fresh_api.deps.writes) as connection:
        await rows.promote(connection, top, "50", top=30, banner=-1)
        await rows.promote(connection, banner, "5", banner=7)
        await rows.promote(connection, featured, "50", top=-1, banner=-1)
        await rows.promote(connection, expired, "50", days=-1, top=-1)
    wanted = [top, banner, featured, newest, expired]
    assert await listed(fresh_api) == [row.project_id for row in wanted]
    page = (await fresh_api.get("/api/launchpad/projects?limit=2")).json()
    rest = (await fresh_api.get(f"/api/launchpad/projects?limit=4&cursor={page['next_cursor']}")).json()
    assert [i["id"] for i in [*page["items"], *rest["items"]]] == [row.project_id for row in wanted]
    tiers = [item["promo_tier_sol"] for item in (await fresh_api.get("/api/launchpad/projects")).json()["items"]]
    assert tiers == ["50", "5", "50", None, None]


async def test_a_promotion_says_what_it_gives_until_when(api: Api) -> None:
    row = await make(api)
    assert (await api.get(f"/api/promo/status/{row.project_id}")).json()["promotions"] == []
    async with transaction(api.deps.writes) as connection:
        await rows.promote(connection, row, "0.5", days=-1)
        await rows.promote(connection, row, "5", banner=7)
    newest, oldest = (await api.get(f"/api/promo/status/{row.project_id}")).json()["promotions"]
    assert (newest["tier_sol"], newest["status"], oldest["tier_sol"], oldest["status"]) == (
        "5", "active", "0.5", "expired"
    )  # fmt: skip
    assert newest["features"]["banner"] is not None
    assert newest["features"]["press_release"] is None
    problem(await api.get("/api/promo/status/01936e6c-7a10-7cc0-9d4e-0a1b2c3d4e5f"), 404, "not_found")


async def test_a_token_shows_price_progress_trades_and_tax(fresh_api: Api) -> None:
    row = await make(fresh_api)
    await make(fresh_api)
    tokens = await buy(fresh_api, row, 6 * SOL) + await buy(fresh_api, row, 6 * SOL)
    found = (await fresh_api.get(f"/api/launchpad/token/{row.mint}")).json()
    raised, spot = curves.reserve(CURVE, tokens), curves.spot(CURVE, tokens)
    assert found["id"] == row.project_id
    assert found["liquidity_sol"] == format_amount(raised, 9)
    assert int(found["spot_price_sol"].split(".")[1].ljust(18, "0")) == spot
    cap = spot * SUPPLY // (10**6 * SOL)
    assert found["market_cap_sol"] == format_amount(cap, 9)
    assert (found["progress_bps"], found["soft_cap_bps"]) == (tokens * 10_000 // MOST, 10_000)
    assert (found["stats"]["investors"], found["stats"]["trades"], found["stats"]["buys"]) == (2, 2, 2)
    assert found["stats"]["volume_sol"] == found["liquidity_sol"]
    taxes = found["tax"]
    assert taxes["escrow_sol"] == "0"
    assert float(taxes["collected_sol"]) * 50 >= float(found["liquidity_sol"])
    assert taxes == (await fresh_api.get("/api/sync/tax-stats")).json()
    problem(await fresh_api.get(f"/api/launchpad/token/{rows.wallet()}"), 404, "not_found")
    problem(await fresh_api.get("/api/launchpad/token/%F0%9F%98%80"), 404, "not_found")


async def test_a_project_without_a_sale_has_no_figures(api: Api) -> None:
    row = await make(api, status="upcoming", sale=False)
    found = (await api.get(f"/api/sync/launchpad/{row.project_id}")).json()
    assert found["sale_id"] is found["spot_price_sol"] is found["progress_bps"] is None
    assert found["investors"] == 0


async def test_a_graduated_token_is_priced_at_its_pool_and_without_what_was_burned(api: Api) -> None:
    row = await make(api)
    await buy(api, row, 20 * SOL)
    await api.rows(
        """INSERT INTO launchpad.sale_events (sale_id, signature, ordinal, slot, kind, data)
           VALUES (%s, %s, 0, 1, 'Graduated', '{"burned": 250000000000000}')""",
        row.sale_id, rows.wallet(),
    )  # fmt: skip
    await api.rows(
        """UPDATE launchpad.sales SET status = 'graduated', pool_address = 'p', graduated_at = now(),
             counters = '{"pooled_lamports": 7000000000, "burned": 500000000000000}' WHERE id = %s""",
        row.sale_id,
    )
    found = (await api.get(f"/api/sync/launchpad/{row.project_id}")).json()
    assert (found["priced_by"], found["liquidity_sol"], found["sale_status"]) == ("pool_opening", "7", "graduated")
    spot = int(found["spot_price_sol"].split(".")[1].ljust(18, "0"))
    assert found["market_cap_sol"] == format_amount(spot * SUPPLY // 4 // (10**6 * SOL), 9)


async def test_a_failed_token_is_worth_nothing_and_a_pool_too_small_leaves_no_liquidity(api: Api) -> None:
    row = await make(api)
    await buy(api, row, SOL)
    change = "UPDATE launchpad.sales SET counters = %s WHERE id = %s"
    await api.rows(change, '{"reclaimed": true, "status": 0}', row.sale_id)
    assert (await api.get(f"/api/sync/launchpad/{row.project_id}")).json()["market_cap_sol"] == "0"
    await api.rows(change, '{"status": 2, "pooled_lamports": 0}', row.sale_id)
    assert (await api.get(f"/api/sync/launchpad/{row.project_id}")).json()["liquidity_sol"] == "0"


async def test_tax_of_an_unlatched_sale_is_escrow_and_of_a_failed_one_nothing(fresh_api: Api) -> None:
    row = await make(fresh_api)
    await buy(fresh_api, row, SOL)
    stats = (await fresh_api.get("/api/sync/tax-stats")).json()
    assert (stats["collected_sol"], stats["pending_burn_sol"], stats["distributions"]) == ("0", "0", 0)
    assert float(stats["escrow_sol"]) > 0
    await fresh_api.rows("UPDATE launchpad.sales SET status = 'refunding' WHERE id = %s", row.sale_id)
    assert (await fresh_api.get("/api/sync/tax-stats")).json()["escrow_sol"] == "0"


async def test_distributions_are_summed(fresh_api: Api) -> None:
    row = await make(fresh_api)
    await buy(fresh_api, row, 12 * SOL)
    for ordinal in range(2):
        await fresh_api.rows(
            """INSERT INTO launchpad.tax_distributions (id, sale_id, signature, ordinal, marketing_lamports,
                 treasury_lamports, rewards_lamports, burn_lamports, on_chain_data, distributed_at)
               VALUES (gen_random_uuid(), %s, 's', %s, 1000000, 2000000, 3000000, 4000000, '{}', now())""",
            row.sale_id, ordinal,
        )  # fmt: skip
    stats = (await fresh_api.get("/api/sync/tax-stats")).json()
    paid = [stats[f"{name}_sol"] for name in ("marketing", "treasury", "rewards", "burn")]
    assert paid == ["0.002", "0.004", "0.006", "0.008"]
    assert stats["distributions"] == 2
    assert stats["last_distribution_at"] is not None
    assert float(stats["pending_burn_sol"]) > 0


async def test_a_referral_tree_has_five_levels_with_their_earnings(api: Api) -> None:
    row = await make(api)
    chain = [rows.wallet() for _ in range(7)]
    for at in range(1, 7):
        await buy(api, row, SOL, chain[at], tuple(chain[max(0, at - 5) : at][::-1]))
    twin = rows.wallet()
    await buy(api, row, SOL, twin, (chain[1], chain[0]))
    found = (await api.get(f"/api/sync/referral/{chain[0]}")).json()
    assert [level["wallets"] for level in found["levels"]] == [1, 2, 1, 1, 1]
    assert found["earned_sol"] == "0.002783333"
    node, depth = found["tree"][0], 1
    assert {child["wallet"] for child in node["children"]} == {chain[2], twin}
    while node["children"]:
        node, depth = max(node["children"], key=lambda child: len(child["children"])), depth + 1
    assert (depth, node["wallet"], found["shown"]) == (5, chain[5], 6)
    below = (await api.get(f"/api/sync/referral/{chain[6]}")).json()
    assert [u["wallet"] for u in below["uplines"]] == chain[1:6][::-1]
    assert (below["tree"], below["earned_sol"], below["claimable_sol"], below["registered"]) == ([], "0", None, None)
    problem(await api.get("/api/sync/referral/nobody"), 404, "not_found")


async def test_what_can_be_claimed_is_what_lies_on_the_chain(database: str) -> None:
    wallet = rows.wallet()

    async def account(who: str) -> ReferralState | None:
        if who == wallet:
            return ReferralState(user=who, upline=(), pending=2_000_000, earned=5_000_000, direct=1)
        if who == "11111111111111111111111111111111":
            raise Unavailable("solana_unavailable", "no node")
        return None

    async with Api.open(database, referral_account=account) as api:
        names = ("registered", "settled_sol", "claimable_sol", "claimed_sol")

        async def told(who: str) -> list[Any]:
            found = (await api.get(f"/api/sync/referral/{who}")).json()
            return [found[name] for name in names]

        assert await told(wallet) == [True, "0.005", "0.002", "0.003"]
        assert await told(rows.wallet()) == [False, "0", "0", "0"]
        assert await told("11111111111111111111111111111111") == [None] * 4


async def test_programs_say_where_their_ids_come_from_and_whether_they_are_ids(database: str) -> None:
    program, short = rows.wallet(), rows.wallet()[:-2]
    async with Api.open(database, launchpad_program_id=program, launchpad_pool_program_id=short) as api:
        found = {item["name"]: item for item in (await api.get("/api/programs")).json()["items"]}
    launchpad, pool = found["launchpad"], found["pool"]
    assert (launchpad["valid"], launchpad["source"], launchpad["used"]) == (True, "LAUNCHPAD_PROGRAM_ID", True)
    assert (pool["valid"], pool["problem"]) == (False, pool["problem"])
    assert "bytes" in pool["problem"]
    labels = {name: found[name]["problem"] for name in
              ("staking", "governance", "referral-rewards", "tax-distribution", "rewards")}  # fmt: skip
    assert labels["staking"] == labels["governance"] == labels["referral-rewards"] == "31 bytes, 32 are wanted"
    assert labels["tax-distribution"].startswith("not base58")
    assert labels["rewards"] is None
    assert not any(found[name]["used"] for name in labels)


async def test_readers_need_the_scope(api: Api) -> None:
    row = await make(api)
    _, reader = await api.account("trader", READER)
    _, stranger = await api.account("trader", ["exchange:read"])
    paths = ("/api/launchpad/projects", f"/api/launchpad/token/{row.mint}", "/api/programs", "/api/sync/tax-stats",
             f"/api/sync/launchpad/{row.project_id}", f"/api/sync/referral/{row.creator}",
             f"/api/promo/status/{row.project_id}")  # fmt: skip
    for path in paths:
        assert (await api.get(path, reader)).status_code == 200, path
        problem(await api.get(path, stranger), 403, "forbidden")
        problem(await api.get(path, None), 401, "unauthorized")


async def test_the_invariants_say_whether_every_sale_is_what_the_chain_says(database: str) -> None:
    found = [Reconciled(sales=2, behind=0, summary="2 sales compared")]

    async def compared() -> Reconciled:
        return found[0]

    async def solvent() -> Solvency:
        return Solvency(block_number=1, custody=0, in_flight=0, liabilities=0)

    async with Api.open(database, launchpad=compared, solvency=solvent) as api:
        body = (await api.get("/api/system/invariants")).json()
        assert body["ok"] is True
        assert body["checks"][-1]["name"] == "sales_equal_the_chain"
        found[0] = Reconciled(sales=2, behind=0, differs={"id": "sold: 1, 2"}, summary="2 sales compared")
        body = (await api.get("/api/system/invariants")).json()
        assert body["ok"] is False
        assert body["checks"][-1]["detail"] == "2 sales compared; id: sold: 1, 2"
