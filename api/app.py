"""The application: routes, what they are given, and the layers around them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, Final

from litestar import Litestar
from litestar.di import Provide
from litestar.exceptions import MethodNotAllowedException, NotFoundException
from litestar.types import ControllerRouterHandler
from litestar.utils import normalize_path
from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector

from api import docs, locked_paths
from api.accounts import accounts, keys, sessions, statements
from api.copytrade import attempts, cash, leaders, markets, overview, portfolios, reports, rules, upkeep, what_if
from api.deps import Deps
from api.dispatch import Dispatch
from api.events import stream, webhooks
from api.events.hub import Hub
from api.exchange import (
    assets,
    contributions,
    deposits,
    fee_claims,
    halts,
    lp,
    positions,
    prices,
    quotes,
    requests,
    signals,
    trades,
    withdrawals,
)
from api.exchange.desk import OrderDesk
from api.http.auth import Authenticator, principal_of
from api.http.edge import Edge, RequestMetrics
from api.http.paging import Cursors
from api.http.problems import handlers
from api.http.strict import StrictRequest
from api.launchpad import launches, pictures, preview, program_ids, projects, promo_status, sales, socket, sync
from api.launchpad import trades as sale_trades
from api.operations import routes as operations
from api.system import acts, codec, corrections, health, state

ROUTES: Final[tuple[ControllerRouterHandler, ...]] = (
    health.health, health.ready, health.metrics,
    state.status, state.invariants, state.audit_log, state.problem_list, state.problem,
    acts.controls, acts.set_control, acts.alerts, acts.resolve_alert, acts.quarantine, acts.replay, acts.discard,
    codec.decode, codec.encode,
    operations.list_operations, operations.read, operations.cancel, operations.retry,
    stream.follow,
    webhooks.create, webhooks.list_webhooks, webhooks.read, webhooks.remove, webhooks.list_deliveries,
    webhooks.read_delivery, webhooks.redeliver,
    accounts.create, accounts.list_accounts, accounts.read, accounts.balances, accounts.ledger,
    statements.statement,
    keys.create, keys.list_keys, keys.revoke,
    sessions.login, sessions.logout, sessions.session,
    deposits.deposit_address, deposits.rotate, deposits.list_deposits, deposits.read_deposit,
    corrections.create, corrections.list_corrections, corrections.read, corrections.approve, corrections.reject,
    requests.create, withdrawals.list_withdrawals, withdrawals.read, withdrawals.approve, withdrawals.reject,
    withdrawals.cancel,
    assets.create, assets.list_assets, assets.read, quotes.quote, trades.create, trades.list_trades, trades.read,
    positions.list_positions,
    contributions.create, contributions.list_contributions, contributions.read, contributions.cancel_funding,
    lp.create_withdrawal, lp.list_withdrawals, lp.read_withdrawal, lp.cancel_withdrawal, lp.list_positions,
    fee_claims.create_claim, fee_claims.list_claims, fee_claims.read_claim,
    signals.list_signals, signals.read_signal, signals.refresh_signal,
    prices.list_ticks, halts.list_halts, halts.halt, halts.extend_halt, halts.resume,
    leaders.list_leaders, leaders.follow, leaders.read_leader, leaders.change_leader, leaders.unfollow,
    attempts.list_trades, attempts.list_attempts, attempts.read_attempt,
    markets.list_markets, markets.read_market, markets.blacklist,
    rules.read_general, rules.change_general, rules.read_user, rules.change_user, rules.pause,
    what_if.test_rules, what_if.list_tests, what_if.read_test,
    *cash.HANDLERS, upkeep.backfill, upkeep.rebuild, upkeep.list_drifts,
    overview.overview,
    portfolios.read_global, portfolios.global_curve, portfolios.user_curve,
    reports.user_report, reports.global_report, reports.leaderboard,
    projects.list_projects, projects.read_token, promo_status.promo_status, program_ids.list_programs,
    sync.sync_project, sync.sync_tax, sync.sync_referral, socket.sync_socket,
    pictures.upload, pictures.list_pictures, pictures.read, pictures.content, pictures.remove, preview.preview,
    launches.deploy_token, launches.list_launches, launches.read, launches.submit_signature, launches.retry,
    launches.cancel,
    sales.read, sales.positions, sales.quote,
    sale_trades.buy, sale_trades.sell, sale_trades.claim, sale_trades.refund, sale_trades.submit,
    docs.document, docs.page, docs.asset,
    locked_paths.moved,
)  # fmt: skip


def _given(value: Any) -> Provide:
    def provide() -> Any:
        return value

    return Provide(provide, sync_to_thread=False, use_cache=False)


def _allowed(app: Litestar, path: str) -> str | None:
    """Every method of a path. Litestar's own OPTIONS knows only those of one handler."""
    try:
        app.asgi_router.handle_routing(path=normalize_path(path), method="NONE")
    except MethodNotAllowedException as refusal:
        return (refusal.headers or {}).get("allow")
    except NotFoundException:
        return None
    return None


def _living(
    deps: Deps, hub: Hub, dispatch: Dispatch, desk: OrderDesk
) -> Callable[[Litestar], AbstractAsyncContextManager[None]]:
    """Opens at start what the app needs, closes it at the end: what hands over work before what carries it."""

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncIterator[None]:
        await deps.reads.open(wait=False)
        await deps.writes.open(wait=False)
        hub.start()
        try:
            yield
        finally:
            await desk.stop()
            await hub.stop()
            await dispatch.stop()
            await deps.reads.close()
            await deps.writes.close()

    return lifespan


def create_app(deps: Deps, *, more_routes: tuple[ControllerRouterHandler, ...] = ()) -> Litestar:
    """The ASGI application. Its lifespan opens and closes the pools and the one LISTEN connection.

    Args:  more_routes  handlers of other areas and of the dashboard; they get the same dependencies.
    """
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    metrics = RequestMetrics(registry)
    hub = Hub(deps.database_url)
    dispatch = Dispatch(deps.processes, deps.writes)
    desk = OrderDesk(deps, hub)

    app = Litestar(
        route_handlers=[*ROUTES, *more_routes],
        dependencies={
            "deps": _given(deps),
            "hub": _given(hub),
            "dispatch": _given(dispatch),
            "metrics": _given(metrics),
            "registry": _given(registry),
            "principal": Provide(principal_of, sync_to_thread=False),
        },
        exception_handlers=handlers(),
        lifespan=[_living(deps, hub, dispatch, desk)],
        openapi_config=docs.config(deps.config.version),
        request_max_body_size=deps.config.max_body_bytes,
        request_class=StrictRequest,
        logging_config=None,
        pdb_on_exception=False,
    )
    app.state.public_url = deps.config.public_url.rstrip("/")
    app.state.authenticator = Authenticator(deps)
    app.state.cursors = Cursors(deps.config.session_secret)
    app.state.hub = hub
    app.state.sockets = socket.Sockets()
    app.state.desk = desk
    app.asgi_handler = Edge(app.asgi_handler, deps.config, metrics, partial(_allowed, app))
    return app
