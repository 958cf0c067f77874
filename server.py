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
from typing import TYPE_CHECKING, Any

import structlog
import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server
from litestar import Litestar
from temporalio.client import Client, Interceptor

import telemetry
from api.app import create_app
from api.deps import ApiConfig, Deps, PayloadCodec
from composition.custody import make_solvency, own_addresses
from composition.launch_policy import launch_policy
from composition.solana import make_drafting, make_solana, refuse_real_money
from domain.launchpad.preview import LaunchPrices
from gateways.evm.addresses import HdAddresses
from gateways.evm.chain import EvmNode
from settings import ApiSettings, load_file_secrets
from storage.books import Books
from storage.database import make_pool
from workflows import client as temporal
from workflows.client import Processes

if TYPE_CHECKING:
    from gateways.solana.nodes import RpcNodes
    from storage.database import Pool
    from workflows.codec import EncryptionCodec

log = structlog.get_logger("server")


def api_config(settings: ApiSettings) -> ApiConfig:
    """The values routes need."""
    return ApiConfig(
        version=version("holdfast"),
        commit=os.environ.get("HOLDFAST_COMMIT", ""),
        profile=settings.holdfast_profile,
        public_url=settings.public_url.rstrip("/"),
        session_secret=settings.session_secret.get_secret_value().encode(),
        chain_id=settings.arbitrum_chain_id,
        usdc_address=settings.usdc_contract_address.lower(),
        own_addresses=own_addresses(settings),
        withdrawal_policy=settings.withdrawal_policy(),
        temporal_ui_url=settings.temporal_ui_url.rstrip("/"),
        temporal_namespace=settings.temporal_namespace,
        asset_defaults=settings.asset_defaults(),
        lp_policy=settings.lp_policy(),
        halt_s=settings.halt_s,
        bankroll_micros=settings.starting_bankroll_micros,
        session_hours=settings.session_hours,
        rate_limit_per_s=settings.rate_limit_per_s,
        login_limit_per_minute=settings.login_limit_per_minute,
        max_body_bytes=settings.max_body_bytes,
        trusted_proxies=frozenset(settings.trusted_proxies),
        solana_cluster=settings.solana_cluster,
        launchpad_program_id=settings.launchpad_program_id,
        launchpad_pool_program_id=settings.launchpad_pool_program_id,
        launch_prices=launch_prices(settings),
        price_most_micro_lamports=settings.solana_price_most_micro_lamports,
        ipfs_gateway_url=settings.ipfs_gateway_url,
        arweave_gateway_url=settings.arweave_gateway_url,
        launch_policy=launch_policy(settings),
        sync_wallet_s=settings.launchpad_sync_wallet_s,
        sync_project_s=settings.launchpad_sync_project_s,
        sync_system_s=settings.launchpad_sync_system_s,
    )


def launch_prices(settings: ApiSettings) -> LaunchPrices:
    """What a launch costs beside what the chain takes."""
    return LaunchPrices(
        creation_fee_lamports=settings.launchpad_creation_fee_lamports,
        listing_lamports=settings.launchpad_listing_lamports,
        budget_lamports=settings.launchpad_budget_lamports,
        tax_bps=settings.launchpad_tax_bps,
        referral_bps=settings.launchpad_referral_bps,
    )


async def _report_unknown(source: str, kind: str, reason: str, payload: Any) -> None:
    """Workers keep such answers in quarantine; this process only reads, so it tells the log."""
    log.warning("unknown_answer", source=source, kind=kind, reason=reason)


def _codec(settings: ApiSettings) -> EncryptionCodec | None:
    """The codec of PAYLOAD_KEYS; None while they are empty."""
    keys = settings.payload_keys.get_secret_value()
    if not keys:
        return None
    from workflows.codec import codec_from_keys  # loads the ciphers only where payloads are encrypted

    return codec_from_keys(keys)


def _codec_server(codec: EncryptionCodec | None) -> PayloadCodec | None:
    if codec is None:
        return None
    from workflows.codec import CodecServer

    return CodecServer(codec)


def _upkeep(settings: ApiSettings, reads: Pool, solana: RpcNodes | None) -> dict[str, Any]:
    """What the API reads off Solana by itself; nothing without one."""
    if solana is None:
        return {}
    from composition.launchpad_upkeep import make_comparison, make_referral_account  # loads what decodes accounts

    return {
        "referral_account": make_referral_account(settings, solana),
        "launchpad": make_comparison(settings, Books(reads), solana),
    }


async def _temporal(settings: ApiSettings, codec: EncryptionCodec | None, *, tracing: bool) -> Client:
    """A client that connects with its first call, so that the API starts while Temporal is away."""
    interceptors = list[Interceptor]()
    if tracing:
        from temporalio.contrib.opentelemetry import TracingInterceptor  # 6 MB that most installations do not need

        interceptors.append(TracingInterceptor())
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
    refuse_real_money(settings)
    dsn = settings.database_url.get_secret_value()
    reads = make_pool(dsn, size=settings.database_pool_size, name="api-reads", read_only=True)
    writes = make_pool(dsn, size=max(2, settings.database_pool_size), name="api-writes")
    tracing = telemetry.configure_tracing(settings.otlp_endpoint, "holdfast-api")
    codec = _codec(settings)
    client = await _temporal(settings, codec, tracing=tracing)
    chain = EvmNode.connect(
        [settings.arbitrum_rpc_url, settings.arbitrum_rpc_fallback_url],
        chain_id=settings.arbitrum_chain_id,
        token=settings.usdc_contract_address.lower(),
        quarantine=_report_unknown,
    )
    stack.push_async_callback(chain.aclose)
    solana = make_solana(settings, _report_unknown)
    if solana is not None:
        stack.push_async_callback(solana.aclose)
    deps = Deps(
        config=api_config(settings),
        reads=reads,
        writes=writes,
        database_url=dsn,
        processes=Processes(client),
        addresses=HdAddresses(settings.deposit_xpub),
        # the workers' own proof, over the read-only pool: these books cannot be written to, whatever is called
        solvency=make_solvency(settings, Books(reads), chain).solvency,
        codec=_codec_server(codec),
        solana=make_drafting(settings, solana) if solana is not None else None,
        **_upkeep(settings, reads, solana),
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
            websockets=True,
            backlog=1024,
            backpressure=1024,
            log_enabled=False,
        )

        async def leave() -> None:
            app.state.hub.close_streams()
            await app.state.sockets.gone()
            server.stop()  # type: ignore[no-untyped-call]

        def stop() -> None:
            log.info("api_stopping")
            tasks.append(asyncio.create_task(leave()))

        tasks = list[asyncio.Task[None]]()

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
