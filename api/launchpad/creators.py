"""What the chain says of the wallet a launch is for, asked before anything is accepted."""

from __future__ import annotations

import asyncio
from typing import Final

from api.deps import Deps
from domain.launchpad.receiving import check_owner
from domain.launchpad.request import LaunchRequest
from domain.launchpad.solana import Account
from domain.shared.errors import Unavailable

CHAIN_S: Final = 2.0
"""How long the chain may take."""


async def creators_account(deps: Deps, request: LaunchRequest) -> Account | None:
    """The account of `creator_wallet`; None for a wallet that has nothing yet, and where there is no chain.

    Raises: Rejected launch_refused when it is no wallet; Unavailable solana_unavailable within two seconds.
    """
    if deps.solana is None:
        return None
    try:
        async with asyncio.timeout(CHAIN_S):
            account = await deps.solana.nodes.account(request.creator_wallet)
    except TimeoutError as late:
        raise Unavailable("solana_unavailable", f"no answer within {CHAIN_S:g} s") from late
    check_owner(request.creator_wallet, account.owner if account is not None else None)
    return account
