"""Who may be the creator: the team's part, ecosystem and reserve go to that address for ever."""

from __future__ import annotations

from domain.launchpad.payments import SYSTEM_PROGRAM
from domain.shared.errors import Rejected


def check_owner(address: str, owner: str | None) -> None:
    """`owner`: which program the account at this address belongs to; None: there is none yet, as of a new wallet.

    Raises: Rejected launch_refused: what belongs to a program (a mint, a sale, a program itself) can never spend.
    """
    if owner not in (None, SYSTEM_PROGRAM):
        detail = f"{address} is no wallet but an account of {owner}: nobody could ever spend what the launch pays it"
        raise Rejected("launch_refused", detail, pointer="/creator_wallet")
