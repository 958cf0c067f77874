"""The channels of `/api/sync`: whose they are, what their snapshot is, which events concern them, how often they are
told at most (CG-079: the intervals are ceilings; what changes is told at once, what changes often is told together)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple
from uuid import UUID

from api.deps import ApiConfig, Deps
from api.launchpad.sync import project_state, referral_state, tax_state
from domain.launchpad.addresses import ADDRESS_BYTES, is_bytes

Payload = dict[str, Any]


class Channel(NamedTuple):
    """`wanted`: is this a key of the channel?   `snapshot`: its state as JSON, None when there is none to tell."""

    signed_in: bool
    wanted: Callable[[str], bool]
    concerns: Callable[[Payload, str], bool]
    snapshot: Callable[[Deps, str], Awaitable[str | None]]
    ceiling_s: Callable[[ApiConfig], float]


def _is_project(key: str) -> bool:
    try:
        return str(UUID(key)) == key
    except ValueError:
        return False


async def _taxes(deps: Deps, _key: str) -> str | None:
    return await tax_state(deps)


CHANNELS: Final[dict[str, Channel]] = {
    "project": Channel(
        signed_in=False,
        wanted=_is_project,
        concerns=lambda payload, key: payload.get("project_id") == key,
        snapshot=project_state,
        ceiling_s=lambda config: config.sync_project_s,
    ),
    "tax-stats": Channel(
        signed_in=False,
        wanted=lambda key: key == "",
        concerns=lambda payload, _key: "sale_id" in payload,
        snapshot=_taxes,
        ceiling_s=lambda config: config.sync_system_s,
    ),
    "referral": Channel(
        signed_in=True,
        wanted=lambda key: is_bytes(key, ADDRESS_BYTES),
        concerns=lambda payload, key: payload.get("wallet") == key or key in (payload.get("uplines") or ()),
        snapshot=referral_state,
        ceiling_s=lambda config: config.sync_wallet_s,
    ),
}
