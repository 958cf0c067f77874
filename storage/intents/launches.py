"""The intent to launch a token: the launch, the project it will be, its promotion's payment, its operation."""

from __future__ import annotations

from psycopg.types.json import Jsonb

from domain.launchpad.launching import LaunchPolicy
from domain.launchpad.request import LaunchRequest, check_pictures
from domain.launchpad.steps import NAMES
from domain.shared import ids
from domain.shared.errors import Rejected
from domain.shared.events import Event
from storage.database import Connection
from storage.events import audit, emit, new_id
from storage.intents.opened import Opened
from storage.launchpad import promos
from storage.operations import open_operation


async def open_launch(
    connection: Connection, *, account_id: str, request: LaunchRequest, policy: LaunchPolicy, requested_by: str
) -> Opened:
    """Insert everything a launch begins with, in the caller's transaction. The caller has checked the request.

    Raises: Rejected payment_used; launch_refused, also when a picture was removed meanwhile.
    """
    if request.signing == "platform":
        await _check_open(connection, account_id, policy.open_launches)
    launch_id = new_id()
    workflow_id = ids.token_launch(launch_id)
    summary = f"Launch {request.symbol} ({request.name})"
    operation_id = await open_operation(
        connection,
        kind="token_launch",
        subject_id=launch_id,
        workflow_id=workflow_id,
        steps=NAMES,
        summary=summary,
        account_id=account_id,
    )
    await connection.execute(
        """INSERT INTO launchpad.launches
             (id, account_id, request, cluster, signing, creator_wallet, mint_seed, budget_lamports, operation_id)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        [
            *(launch_id, account_id, Jsonb(request.model_dump(mode="json")), policy.cluster, request.signing),
            *(request.creator_wallet, launch_id.replace("-", ""), policy.budget_lamports, operation_id),
        ],
    )
    await _use_pictures(connection, launch_id, account_id, request)
    await _insert_project(connection, launch_id, request, policy.cluster)
    if request.promo_tier_lamports is not None and request.promo_payment_signature is not None:
        await promos.claim(connection, launch_id, request.promo_tier_lamports, request.promo_payment_signature)
    await audit(connection, requested_by, "launch_requested", launch_id, symbol=request.symbol, signing=request.signing)
    payload: dict[str, str | int | bool | None] = {"project_id": launch_id, "status": "running", "step": NAMES[0]}
    await emit(connection, Event(topic="launchpad", type="launch_changed", account_id=account_id, payload=payload))
    return Opened(launch_id, operation_id, workflow_id, account_id, summary)


async def _check_open(connection: Connection, account_id: str, most: int) -> None:
    """An account is counted by one request at a time."""
    await connection.execute("SELECT 1 FROM platform.accounts WHERE id = %s FOR NO KEY UPDATE", [account_id])
    cursor = await connection.execute(
        """SELECT count(*) AS open FROM launchpad.launches l JOIN launchpad.projects p ON p.id = l.id
           WHERE l.account_id = %s AND l.signing = 'platform' AND l.status <> 'failed'
             AND p.status NOT IN ('ended', 'undone')""",
        [account_id],
    )
    row = await cursor.fetchone()
    if row is None or row["open"] >= most:
        detail = f"{most} launches that the platform signs are open: wait until a sale ends, or sign with your wallet"
        raise Rejected("launch_refused", detail, pointer="/signing")


async def _use_pictures(connection: Connection, launch_id: str, account_id: str, request: LaunchRequest) -> None:
    """From here on nobody can remove them."""
    cursor = await connection.execute(
        """INSERT INTO launchpad.launch_assets (launch_id, asset_id)
           SELECT %s, id FROM launchpad.assets WHERE account_id = %s AND id = ANY(%s::uuid[]) FOR KEY SHARE
           RETURNING asset_id::text AS id""",
        [launch_id, account_id, list(request.pictures.values())],
    )
    check_pictures(request, {row["id"] for row in await cursor.fetchall()})


async def _insert_project(connection: Connection, launch_id: str, request: LaunchRequest, cluster: str) -> None:
    """The project exists before its token does; pictures by the content ids they will be pinned under."""
    await connection.execute(
        """INSERT INTO launchpad.projects
             (id, name, symbol, description, logo_uri, banner_uri, icon_uri, total_supply, decimals, allocation_bps,
              bonding_curve_type, initial_price, target_price, soft_cap_lamports, hard_cap_lamports, transfer_fee_bps,
              creator_wallet, cluster, twitter, telegram, website, discord, promo_tier_lamports, starts_at, ends_at)
           SELECT %(id)s, %(name)s, %(symbol)s, %(description)s,
              coalesce((SELECT 'ipfs://' || cid FROM launchpad.assets WHERE id = %(logo)s::uuid), ''),
              (SELECT 'ipfs://' || cid FROM launchpad.assets WHERE id = %(banner)s::uuid),
              (SELECT 'ipfs://' || cid FROM launchpad.assets WHERE id = %(icon)s::uuid),
              %(total_supply)s, %(decimals)s, %(allocation)s, %(curve_type)s, %(initial_price)s, %(target_price)s,
              %(soft_cap_lamports)s, %(hard_cap_lamports)s, %(transfer_fee_bps)s, %(creator_wallet)s, %(cluster)s,
              %(twitter)s, %(telegram)s, %(website)s, %(discord)s, %(promo_tier_lamports)s, %(starts_at)s,
              %(ends_at)s""",
        {
            **request.model_dump(exclude={"links", "allocation_bps"}),
            **request.links.model_dump(),
            "allocation": Jsonb(request.allocation_bps.model_dump()),
            "id": launch_id,
            "cluster": cluster,
        },
    )
