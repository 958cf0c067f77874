"""Composition root of the API process: settings → pools, Temporal client, chain reads → Litestar under granian.

`python server.py`. One process, one event loop; scale by replicas. It holds no keys and signs nothing; on SIGTERM it
ends event streams, answers what it has accepted, and leaves.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from importlib.metadata import version
from typing import Any

import structlog
import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server
from litestar import Litestar
from temporalio.client import Client, Interceptor

import telemetry
from activities.exchange.custody import CustodyActivities
from api.app import create_app
from api.deps import ApiConfig, Deps, SolvencyCheck
from domain.exchange.fees import FeePolicy
from domain.shared.errors import Broken
from gateways.evm.addresses import HdAddresses
from gateways.evm.chain import EvmNode
from settings import ApiSettings, load_file_secrets
from storage.books import Books
from storage.database import Pool, make_pool
from storage.exchange.custody import CustodyStore
from storage.exchange.transactions import TransactionStore
from storage.jobs import JobStore
from workflows import client as temporal
from workflows.client import Processes

log = structlog.get_logger("server")


def api_config(settings: ApiSettings) -> ApiConfig:
    """The values routes need."""
    wallets = (
        settings.usdc_contract_address,
        settings.hot_wallet_address,
        settings.gas_wallet_address,
        settings.cold_wallet_address,
    )
    return ApiConfig(
        version=version("holdfast"),
        commit=os.environ.get("HOLDFAST_COMMIT", ""),
        profile=settings.holdfast_profile,
        public_url=settings.public_url.rstrip("/"),
        session_secret=settings.session_secret.get_secret_value().encode(),
        chain_id=settings.arbitrum_chain_id,
        usdc_address=settings.usdc_contract_address.lower(),
        own_addresses=frozenset(a.lower() for a in wallets if a),
        withdrawal_policy=settings.withdrawal_policy(),
        temporal_ui_url=settings.temporal_ui_url.rstrip("/"),
        temporal_namespace=settings.temporal_namespace,
        session_hours=settings.session_hours,
        rate_limit_per_s=settings.rate_limit_per_s,
        login_limit_per_minute=settings.login_limit_per_minute,
        max_body_bytes=settings.max_body_bytes,
        trusted_proxies=frozenset(settings.trusted_proxies),
    )


def solvency_check(settings: ApiSettings, reads: Pool, chain: EvmNode) -> SolvencyCheck:
    """The workers' own proof, over the read-only pool: these books cannot be written to, whatever is called."""
    books = Books(reads)
    fees = FeePolicy(max_fee_cap=0, priority=0)
    custody = CustodyActivities(
        chain,
        CustodyStore(books, settings.arbitrum_chain_id, 0),
        TransactionStore(books, fees),
        JobStore(books),
        fees,
        token=settings.usdc_contract_address.lower(),
        wallets={
            "hot": settings.hot_wallet_address.lower(),
            "gas": settings.gas_wallet_address.lower(),
            "cold": settings.cold_wallet_address.lower(),
        },
        levels={},
    )
    return custody.solvency


async def _report_unknown(source: str, kind: str, reason: str, payload: Any) -> None:
    """Workers keep such answers in quarantine; this process only reads, so it tells the log."""
    log.warning("unknown_answer", source=source, kind=kind, reason=reason)


async def _temporal(settings: ApiSettings, *, tracing: bool) -> Client:
    """A client that connects with its first call, so that the API starts while Temporal is away."""
    codec, interceptors = None, list[Interceptor]()
    if tracing:
        from temporalio.contrib.opentelemetry import TracingInterceptor  # 6 MB that most installations do not need

        interceptors.append(TracingInterceptor())
    if keys := settings.payload_keys.get_secret_value():
        from workflows.codec import codec_from_keys  # loads the ciphers only where payloads are encrypted

        codec = codec_from_keys(keys)
    return await temporal.connect(
        settings.temporal_address,
        settings.temporal_namespace,
        codec=codec,
        tls=settings.temporal_tls,
        api_key=settings.temporal_api_key.get_secret_value() if settings.temporal_api_key else None,
        lazy=True,
        interceptors=interceptors,
    )


async def build(settings: ApiSettings, stack: contextlib.AsyncExitStack) -> Litestar:
    """The application with its collaborators; what must be closed is closed by `stack`."""
    if settings.sandbox_mode and settings.mainnet:
        raise Broken("wrong_chain", f"SANDBOX_MODE is on but chain {settings.arbitrum_chain_id} carries real money")
    dsn = settings.database_url.get_secret_value()
    reads = make_pool(dsn, size=settings.database_pool_size, name="api-reads", read_only=True)
    writes = make_pool(dsn, size=max(2, settings.database_pool_size), name="api-writes")
    tracing = telemetry.configure_tracing(settings.otlp_endpoint, "holdfast-api")
    client = await _temporal(settings, tracing=tracing)
    chain = EvmNode.connect(
        [settings.arbitrum_rpc_url, settings.arbitrum_rpc_fallback_url],
        chain_id=settings.arbitrum_chain_id,
        token=settings.usdc_contract_address.lower(),
        quarantine=_report_unknown,
    )
    stack.push_async_callback(chain.aclose)
    deps = Deps(
        config=api_config(settings),
        reads=reads,
        writes=writes,
        database_url=dsn,
        processes=Processes(client),
        addresses=HdAddresses(settings.deposit_xpub),
        solvency=solvency_check(settings, reads, chain),
    )
    return create_app(deps)


async def serve(settings: ApiSettings) -> int:
    """Serve until SIGTERM or SIGINT."""
    async with contextlib.AsyncExitStack() as stack:
        app = await build(settings, stack)
        server = Server(
            app,
            address=settings.api_host,
            port=settings.api_port,
            interface=Interfaces.ASGI,
            websockets=False,
            backlog=1024,
            backpressure=1024,
            log_enabled=False,
        )

        def stop() -> None:
            log.info("api_stopping")
            app.state.hub.close_streams()
            server.stop()  # type: ignore[no-untyped-call]

        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)
        log.info("api_starting", address=settings.api_host, port=settings.api_port)
        await server.serve()
    return 0


def main() -> None:
    load_file_secrets()
    settings = ApiSettings()
    telemetry.configure_logging(settings.log_level, settings.log_format)
    uvloop.install()
    telemetry.run_main(lambda: serve(settings))


if __name__ == "__main__":
    main()
