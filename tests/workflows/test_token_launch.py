"""TokenLaunch against a real Solana, pinning node, Temporal and Postgres: every end a launch can have."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from psycopg.types.json import Jsonb
from solders.keypair import Keypair

from domain.launchpad.request import SOL
from domain.launchpad.steps import CURVE, MINT
from domain.shared.errors import Rejected
from gateways.solana import token_2022
from gateways.solana.sale_addresses import associated
from localnet.running import RunningTemporal, running_temporal
from localnet.svm.programs import PROGRAMS
from storage.database import transaction
from storage.events import new_id
from tests.launch_checks import kept, undone
from tests.loader_lab import built
from tests.svm_lab import blockhash, send, signed, status
from tests.token_launch_lab import TokenLab, token_lab

PROGRAM = PROGRAMS["launchpad"].address


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: Any) -> AsyncIterator[RunningTemporal]:
    directory: Path = tmp_path_factory.mktemp("launches")
    async with running_temporal(directory / "temporal") as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(
    server: RunningTemporal, new_database: Callable[[], Awaitable[str]], tmp_path_factory: Any
) -> AsyncIterator[TokenLab]:
    async with token_lab(await new_database(), server.address, tmp_path_factory.mktemp("svm")) as opened:
        await opened.start_worker()
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def lab(world: TokenLab) -> TokenLab:
    """One chain and one worker for all, another creator for each."""
    await world.newcomer()
    return world


async def test_a_launch_goes_live(lab: TokenLab) -> None:
    opened = await lab.begin()
    row = await lab.reaches(opened, "live")
    assert (row["operation"], row["project"]) == ("completed", "active")
    assert row["token_address"] == row["mint"]
    assert row["bonding_curve_address"] == row["sale_address"]
    steps = await lab.steps(opened)
    assert {step["status"] for step in steps.values()} == {"done"}, steps
    assert await lab.landed(row["mint"]) == 2
    [sale] = await lab.rows("SELECT * FROM launchpad.sales WHERE project_id = %s", opened.subject_id)
    assert (sale["address"], sale["mint"]) == (row["sale_address"], row["mint"])
    assert sale["tax_bps"] == lab.policy.tax_bps
    assert [link["rel"] for link in steps["create_sale"]["links"]] == ["explorer", "solscan"]
    assert row["spent_lamports"] == 100 * SOL - await lab.lamports(lab.platform)


async def test_a_refusing_pinning_node_undoes_it(lab: TokenLab) -> None:
    """The metadata is refused for good: the picture is unpinned, and no transaction was ever planned."""
    lab.ipfs.fail("ipfs", "unauthorized", match="metadata")
    opened = await lab.begin()
    row = await undone(lab, opened, "upstream_refused")
    assert "401" in row["failure_detail"]
    assert await lab.rows("SELECT 1 FROM launchpad.transactions WHERE subject_id = %s", opened.subject_id) == []
    statuses = {name: step["status"] for name, step in (await lab.steps(opened)).items()}
    assert (statuses["validate"], statuses["pin_images"], statuses["mint"]) == ("done", "undone", "skipped")


async def test_the_team_is_not_paid_into_what_can_never_spend(lab: TokenLab) -> None:
    """A program's address: refused before anything is signed, whatever was believed when the launch was accepted."""
    opened = await lab.begin(creator_wallet=PROGRAM)
    row = await lab.reaches(opened, "undone")
    assert (row["failure_code"], row["project"], await kept(lab, opened)) == ("launch_refused", "undone", set())
    assert "no wallet" in row["failure_detail"]
    assert await lab.landed(row["mint"]) == 0


async def test_an_account_has_so_many_launches_open_that_the_platform_signs(lab: TokenLab) -> None:
    async with lab.set_to(launchpad_open_launches="2"):
        one = await lab.open()
        await lab.open()
        for _ in range(2):
            with pytest.raises(Rejected) as more:
                await lab.open()
            assert more.value.code == "launch_refused"
        await lab.open(signing="creator")
        async with transaction(lab.pool) as connection:
            await connection.execute("UPDATE launchpad.projects SET status = 'ended' WHERE id = %s", [one.subject_id])
        await lab.open()


async def test_a_launch_that_is_live_cannot_be_cancelled(lab: TokenLab) -> None:
    opened = await lab.begin()
    await lab.reaches(opened, "live")
    with pytest.raises(Rejected) as late:
        await lab.cancel(opened)
    assert late.value.code in ("launch_not_cancellable", "conflict")


async def test_after_the_mint_it_parks_and_goes_on(lab: TokenLab) -> None:
    """The platform's wallet can pay the mint and not the sale; refilled, `retry` makes the sale and no second mint."""
    opened = await lab.open()
    token = lab.wire.token((await lab.launch(opened)).model_copy(update={"metadata_uri": "x" * 90}))
    await lab.node.control("account", key=lab.platform, lamports=token_2022.creation_lamports(token) + 3_000_000)
    await lab.start(opened)
    row = await lab.reaches(opened, "needs_operator")
    assert row["operation_code"] == "launch_parked"
    assert "create_sale" in row["summary"]
    assert "`retry` goes on with create_sale" in row["summary"]
    assert row["token_address"] is not None
    with pytest.raises(Rejected) as late:
        await lab.cancel(opened)
    assert late.value.code == "launch_not_cancellable"
    await lab.node.control("account", key=lab.platform, lamports=SOL)
    await lab.retry(opened)
    row = await lab.reaches(opened, "live")
    assert await lab.landed(row["mint"]) == 2
    alerts = await lab.rows(
        "SELECT 1 FROM platform.alerts WHERE subject = %s AND resolved_at IS NULL", opened.workflow_id
    )
    assert alerts == []


async def test_what_the_signer_refuses_can_still_be_cancelled(lab: TokenLab) -> None:
    """The mint may have been signed, and the books say that it was not."""
    opened = await lab.open()
    async with transaction(lab.pool) as connection:
        await connection.execute("UPDATE launchpad.launches SET budget_lamports = 0 WHERE id = %s", [opened.subject_id])
    await lab.start(opened)
    row = await lab.reaches(opened, "needs_operator")
    assert row["step"] == "mint"
    assert "`retry` goes on with mint, `cancel` undoes the launch" in row["summary"]
    await lab.cancel(opened)
    assert (await lab.reaches(opened, "undone"))["operation"] == "cancelled"
    assert (await lab.steps(opened))["mint"]["status"] == "skipped"
    assert await kept(lab, opened) == set()


async def test_a_process_started_anew_does_not_give_up_a_mint_on_its_way(lab: TokenLab) -> None:
    """Signed, then nothing answers any more, and the process that knew of it is gone."""
    opened = await lab.begin()
    on_its_way = """SELECT 1 FROM launchpad.transactions t JOIN launchpad.transaction_attempts a
                    ON a.transaction_id = t.id WHERE t.key = %s AND a.signature IS NOT NULL"""
    await lab.until(lambda: lab.rows(on_its_way, f"launch:{opened.subject_id}:mint"), bool, every=0.002)
    await lab.node.kill()
    await lab.processes.client.get_workflow_handle(opened.workflow_id).terminate("lost")
    assert (await lab.row(opened))["step"] == "mint"
    await lab.start(opened)
    with pytest.raises(Rejected) as late:
        await lab.cancel(opened)
    assert late.value.code == "launch_not_cancellable"
    await lab.node.start()
    row = await lab.reaches(opened, "live")
    assert await lab.landed(row["mint"]) == 2


async def test_a_mint_that_fails_because_it_stands_there_already_is_there(lab: TokenLab) -> None:
    """Unseen by the probe, then in the way of the second one: it goes forward, and `verify` goes by what is final."""
    opened = await lab.begin(signing="creator")
    issued = await lab.issued(opened, MINT)
    plan = lab.wire.plan(await lab.launch(opened), MINT)
    steps = [built(step) for step in plan.instructions]
    sent = await send(lab.url, signed(lab.creator, steps, await blockhash(lab.url), [lab.wallet]))
    assert (await status(lab.url, sent))["err"] is None
    await lab.hand_in(opened, MINT, lab.signed_by(lab.creator, issued))
    await lab.sign(opened, CURVE)
    row = await lab.reaches(opened, "live")
    assert (row["failure_code"], await lab.landed(row["mint"])) == (None, 2)


async def test_the_kill_switch_holds_it_before_its_next_step(lab: TokenLab) -> None:
    await lab.switch(on=False)
    opened = await lab.begin()
    row = await lab.reaches(opened, "waiting")
    assert "switched off" in row["summary"]
    assert await kept(lab, opened) == set()
    await lab.switch(on=True)
    await lab.reaches(opened, "live")


async def test_strangers_lamports_do_not_stop_it(lab: TokenLab) -> None:
    """Every address can be foreseen: somebody sends a lamport to mint, vault and sale first."""
    opened = await lab.open()
    keys = lab.wire.keys(await lab.launch(opened))
    for address in (keys.mint, keys.vault, keys.address):
        await lab.pay(2_000_000, to=address)
    await lab.start(opened)
    await lab.reaches(opened, "live")


async def test_a_mint_the_platform_cannot_pay_is_undone(lab: TokenLab) -> None:
    """Tried out before it is signed: nothing is sent, and nothing stays pinned."""
    await lab.node.control("account", key=lab.platform, lamports=5_000_000)
    opened = await lab.begin()
    row = await lab.reaches(opened, "undone")
    assert row["failure_code"] == "transaction_failed"
    assert await lab.signatures(row["mint"]) == []
    assert await kept(lab, opened) == set()


async def test_a_process_that_is_rebuilt_goes_on_where_the_books_stand(lab: TokenLab) -> None:
    """Terminated after the mint, started anew from its row: it neither looks at the request again nor mints again."""
    opened = await lab.begin(signing="creator", ends_at=datetime.now(UTC) + timedelta(days=1))
    await lab.sign(opened, MINT)
    await lab.issued(opened, CURVE)
    await lab.processes.client.get_workflow_handle(opened.workflow_id).terminate("lost")
    async with transaction(lab.pool) as connection:
        await connection.execute(
            "UPDATE launchpad.launches SET request = jsonb_set(request, '{logo}', %s) WHERE id = %s",
            [Jsonb(new_id()), opened.subject_id],
        )
    await lab.start(opened)
    await lab.sign(opened, CURVE)
    row = await lab.reaches(opened, "live")
    assert await lab.landed(row["mint"]) == 2
    assert (await lab.steps(opened))["validate"]["attempts"] == 1


async def test_a_pinning_node_that_stumbles_is_asked_again(lab: TokenLab) -> None:
    lab.ipfs.fail("ipfs", "drop", times=2)
    lab.ipfs.fail("ipfs", "http_500", times=2, match="metadata")
    opened = await lab.begin()
    row = await lab.reaches(opened, "live")
    assert await kept(lab, opened) >= {row["metadata_cid"]}


async def test_a_solana_that_dies_in_the_middle_delays_it(lab: TokenLab) -> None:
    """SIGKILL to the node between the mint and the sale; what it had answered it still knows."""
    opened = await lab.begin()
    await lab.until(lambda: lab.row(opened), lambda row: row["step"] in ("mint", "create_sale"), every=0.005)
    lab.hurried = False
    await lab.node.kill()
    await asyncio.sleep(1)
    assert (await lab.row(opened))["status"] == "running"
    await lab.node.start()
    lab.hurried = True
    row = await lab.reaches(opened, "live")
    assert await lab.landed(row["mint"]) == 2


async def test_a_stranger_cannot_make_a_sale_of_our_mint(lab: TokenLab) -> None:
    """After the mint and before our sale: with his own vault, and with ours. His sale would be at another address."""
    opened = await lab.begin(signing="creator")
    await lab.sign(opened, MINT)
    await lab.issued(opened, CURVE)
    launch, stranger = await lab.launch(opened), Keypair()
    wanted, him = lab.wire.wanted(launch), str(stranger.pubkey())
    await lab.node.control("account", key=him, lamports=10 * SOL)
    mint, program = wanted.keys.mint, lab.wire.program
    address = program.addresses.sale(mint, him, him)
    his = wanted.keys.model_copy(update={"address": address, "creator": him, "platform": him})
    own_vault = associated(address, mint, token_2022.TOKEN_2022)
    opens = program.open_tokens(him, address, mint, token_2022.TOKEN_2022)
    for keys, first in ((his.model_copy(update={"vault": own_vault}), [opens]), (his, [])):
        made = program.create_sale(keys, him, wanted.recipients, wanted.terms)
        steps = [built(step) for step in (*first, made)]
        sent = await send(lab.url, signed(stranger, steps, await blockhash(lab.url)))
        assert "Custom" in str((await status(lab.url, sent))["err"])
    await lab.sign(opened, CURVE)
    row = await lab.reaches(opened, "live")
    assert row["bonding_curve_address"] == wanted.keys.address != address


async def test_a_fork_that_drops_both_transactions_delays_it(lab: TokenLab) -> None:
    """Confirmed, then gone before they are final: the same bytes are sent again, and each stands there once."""
    lab.hurried = False
    opened = await lab.begin()
    await lab.until(lambda: lab.row(opened), lambda row: row["step"] == "verify", every=0.005)
    told = await lab.node.control("unconfirm", slots=20)
    assert len(told["undone"]) >= 2
    lab.hurried = True
    row = await lab.reaches(opened, "live")
    assert await lab.landed(row["mint"]) == 2
    statuses = await lab.rows(
        "SELECT status::text AS status FROM launchpad.transactions WHERE subject_id = %s", opened.subject_id
    )
    assert [found["status"] for found in statuses] == ["finalized", "finalized"]
