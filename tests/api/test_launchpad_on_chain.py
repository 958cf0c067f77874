"""The API as server.py builds it, beside a real local Solana: what it reads there by itself."""

from __future__ import annotations

import httpx

from composition.launchpad_upkeep import make_comparison
from settings import Settings
from storage.accounts import ensure_admin, new_key
from storage.books import Books
from storage.database import make_pool
from tests.api.process import environment, running_server
from tests.sale_lab import LAUNCH, POOL
from tests.svm_lab import SOL
from tests.upkeep_lab import upkeep_world


async def test_what_a_wallet_can_claim_is_read_off_the_chain(database: str) -> None:
    async with upkeep_world(database) as (world, svm):
        keys, _ = await world.sale()
        root, buyer = await world.wallet(), await world.wallet()
        await world.desk.register(root, None)
        await world.desk.register(buyer, root)
        await world.buy(keys, buyer, 20 * SOL)
        await world.look()
        given = {
            "SOLANA_RPC_URL": ",".join(svm.urls),
            "SOLANA_CLUSTER": "localnet",
            "LAUNCHPAD_PROGRAM_ID": LAUNCH,
            "LAUNCHPAD_POOL_PROGRAM_ID": POOL,
            "SOLANA_PLATFORM_ADDRESS": str(world.platform.pubkey()),
        }
        async with running_server(database, **given) as server, httpx.AsyncClient(base_url=server.url) as client:
            key = new_key()
            await ensure_admin(world.pool, key)
            client.headers["Authorization"] = f"Bearer {key}"

            async def told(wallet: str) -> list[object]:
                found = (await client.get(f"/api/sync/referral/{wallet}")).json()
                return [found[name] for name in ("registered", "earned_sol", "settled_sol", "claimable_sol")]

            assert await told(str(root.pubkey())) == [True, "0.04", "0", "0"]
            settle = world.desk.program.settle_referral(keys, str(buyer.pubkey()), (str(root.pubkey()),))
            await world.desk.send(world.platform, settle)
            await world.look()
            assert await told(str(root.pubkey())) == [True, "0.04", "0.04", "0.04"]
            assert await told(str(world.creator.pubkey())) == [False, "0", "0", "0"]
            programs = (await client.get("/api/programs")).json()
            assert programs["cluster"] == "localnet"
            assert [item["valid"] for item in programs["items"][:2]] == [True, True]


async def test_the_platform_is_no_wallet_to_trade_with(database: str) -> None:
    """Its key would sign whatever is handed in for it, without a signature."""
    async with upkeep_world(database) as (world, svm):
        _, sale = await world.latched()
        platform, trader = str(world.platform.pubkey()), await world.wallet()
        given = {
            "SOLANA_RPC_URL": ",".join(svm.urls),
            "LAUNCHPAD_PROGRAM_ID": LAUNCH,
            "LAUNCHPAD_POOL_PROGRAM_ID": POOL,
            "SOLANA_PLATFORM_ADDRESS": platform,
        }
        async with running_server(database, **given) as server, httpx.AsyncClient(base_url=server.url) as client:
            key = new_key()
            await ensure_admin(world.pool, key)
            client.headers["Authorization"] = f"Bearer {key}"

            async def asks(act: str, **body: str) -> httpx.Response:
                return await client.post(f"/api/launchpad/sales/{sale.sale_id}/{act}", json=body, timeout=30)

            for act, limit in (("buy", {"max_sol": "10"}), ("sell", {"min_sol": "0.000000001"})):
                refused = await asks(act, wallet=platform, tokens="1000", **limit)
                assert (refused.status_code, refused.json()["code"]) == (400, "validation_failed"), refused.text
                assert "the platform does not trade" in refused.text
            bought = await asks("buy", wallet=str(trader.pubkey()), tokens="1000", max_sol="10")
            assert bought.status_code == 200, bought.text
        assert [row["payer"] for row in await world.rows("SELECT payer FROM launchpad.transactions")] == [
            str(trader.pubkey())
        ]


async def test_the_invariants_are_computed_over_a_pool_that_cannot_write(database: str) -> None:
    async with upkeep_world(database) as (world, svm):
        _, sale = await world.latched()
        read_only = make_pool(database, size=2, name="reads", read_only=True)
        given = environment(database, 1, SOLANA_RPC_URL=",".join(svm.urls), LAUNCHPAD_PROGRAM_ID=LAUNCH)
        names = {name.lower(): value for name, value in given.items() if name.lower() in Settings.model_fields}
        settings = Settings.model_validate(names)
        async with read_only as pool:
            compare = make_comparison(settings, Books(pool), world.nodes)
            assert compare is not None
            assert (await compare()).differs == {}
            await world.change("UPDATE launchpad.sales SET held = held + 1 WHERE id = %s", sale.sale_id)
            assert list((await compare()).differs) == [sale.sale_id]
        assert await world.rows("SELECT 1 FROM platform.alerts") == []
