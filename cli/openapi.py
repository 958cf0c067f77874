"""The OpenAPI document without any running part: the routes, with collaborators that are never opened."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from domain.exchange.custody import Solvency

_NOWHERE: Final = "postgresql://nobody@127.0.0.1:1/none"
_NO_ADDRESS: Final = "0x0000000000000000000000000000000000000000"


class _Unasked:
    """Stands where a document needs a collaborator and never calls it."""

    def deposit_address(self, index: int) -> str:
        raise NotImplementedError

    async def __call__(self) -> Solvency:
        raise NotImplementedError


def document() -> dict[str, Any]:
    """The document as `/api/openapi.json` serves it."""
    import asyncio

    return asyncio.run(_document())


async def _document() -> dict[str, Any]:
    from api import docs
    from api.app import create_app
    from api.deps import ApiConfig, Deps
    from domain.exchange.withdrawals import WithdrawalPolicy
    from storage.database import make_pool
    from workflows import client as temporal
    from workflows.client import Processes

    policy = WithdrawalPolicy(
        minimum_micros=1,
        fee_micros=0,
        account_daily_micros=1,
        platform_daily_micros=1,
        review_from_micros=1,
        new_address_cooldown_s=0,
    )
    config = ApiConfig(
        version=version("holdfast"),
        commit="",
        profile="production",
        public_url="http://127.0.0.1:8000",
        session_secret=b"for the document only, signs nothing",
        chain_id=1,
        usdc_address=_NO_ADDRESS,
        own_addresses=frozenset(),
        withdrawal_policy=policy,
        temporal_ui_url="",
        temporal_namespace="default",
        bankroll_micros=0,
    )
    app = create_app(
        Deps(
            config=config,
            reads=make_pool(_NOWHERE, size=1, name="none"),
            writes=make_pool(_NOWHERE, size=1, name="none"),
            database_url=_NOWHERE,
            processes=Processes(await temporal.connect("127.0.0.1:1", "default", lazy=True)),
            addresses=_Unasked(),
            solvency=_Unasked(),
        )
    )
    return docs.build(app)
