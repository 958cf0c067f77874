"""What every process of ours opens first: Temporal's client, the pool, the chain, and what they are shared as."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from temporalio.client import Client, Interceptor
from temporalio.runtime import Runtime

from composition.solana import make_solana, refuse_real_money
from domain.copytrade.contracts import DEFAULT, Contracts, parse
from gateways.evm.chain import EvmNode
from gateways.polymarket.chain_rpc import PolygonRpc
from gateways.polymarket.client import Polymarket
from gateways.polymarket.counts import RequestCounts
from gateways.solana.nodes import RpcNodes
from gateways.webhooks import WebhookSender
from settings import Settings, WorkerSettings
from storage.books import Books
from storage.database import Pool, make_pool
from storage.jobs import JobStore
from storage.listen import Listener
from workflows import client as temporal
from workflows.client import Processes
from workflows.codec import codec_from_keys


@dataclass
class Parts:
    """Opened collaborators, shared by every activity of the process."""

    pool: Pool
    books: Books
    jobs: JobStore
    chain: EvmNode
    processes: Processes
    listener: Listener
    sender: WebhookSender
    polygon: PolygonRpc | None
    """One for all activities, so that its limit of calls a second is one; None: no POLYGON_RPC_URL."""
    polymarket: Polymarket
    """One as well, for the same reason."""
    solana: RpcNodes | None
    """None: no SOLANA_RPC_URL."""


async def connect(
    settings: Settings,
    runtime: Runtime | None = None,
    interceptors: list[Interceptor] | None = None,
    *,
    lazy: bool = False,
) -> Client:
    """The Temporal client every process uses: pydantic payloads, encrypted when PAYLOAD_KEYS is set."""
    return await temporal.connect(
        settings.temporal_address,
        settings.temporal_namespace,
        codec=codec_from_keys(settings.payload_keys.get_secret_value()),
        tls=settings.temporal_tls,
        api_key=settings.temporal_api_key.get_secret_value() if settings.temporal_api_key else None,
        runtime=runtime,
        lazy=lazy,
        interceptors=interceptors or [],
    )


@asynccontextmanager
async def open_parts(settings: WorkerSettings, client: Client, name: str) -> AsyncIterator[Parts]:
    """Open pool and chain for the block. Refuses real money while SANDBOX_MODE is on."""
    refuse_real_money(settings)
    dsn = settings.database_url.get_secret_value()
    async with make_pool(dsn, size=settings.database_pool_size, name=name) as pool:
        books = Books(pool)
        jobs = JobStore(books)
        chain = make_chain(settings, jobs)
        sender = WebhookSender(allow_private=settings.holdfast_profile == "local")
        polygon, polymarket = make_polygon_rpc(settings), make_polymarket(settings, jobs, client)
        solana = make_solana(settings, jobs.quarantine)
        try:
            yield Parts(pool, books, jobs, chain, Processes(client), Listener(dsn), sender, polygon, polymarket, solana)
        finally:
            if solana is not None:
                await solana.aclose()
            await polymarket.aclose()
            await chain.aclose()
            await sender.aclose()
            if polygon is not None:
                await polygon.aclose()


def make_chain(settings: WorkerSettings, jobs: JobStore) -> EvmNode:
    return EvmNode.connect(
        [settings.arbitrum_rpc_url, settings.arbitrum_rpc_fallback_url],
        chain_id=settings.arbitrum_chain_id,
        token=settings.usdc_contract_address.lower(),
        quarantine=jobs.quarantine,
        ws_url=settings.arbitrum_ws_url,
        poll_s=settings.scanner_poll_ms / 1000,
    )


def make_contracts(settings: WorkerSettings) -> Contracts:
    """The built-in table of the venue's contracts, or the one a file gives."""
    file = settings.polymarket_contracts_file
    return parse(Path(file).read_text(encoding="utf-8")) if file else DEFAULT


def make_polygon_rpc(settings: WorkerSettings) -> PolygonRpc | None:
    """Receipts of conversions, gaps, forks."""
    url = settings.polygon_rpc_url
    return PolygonRpc(url, make_contracts(settings), max_rps=settings.polygon_fallback_max_rps) if url else None


def make_polymarket(settings: WorkerSettings, jobs: JobStore, client: Client) -> Polymarket:
    """Public reads of the venue; opens nothing yet. Requests are counted beside the SDK's own metrics."""
    runtime = client.service_client.config.runtime
    counter = runtime.metric_meter.create_counter("holdfast_polymarket_requests") if runtime is not None else None
    return Polymarket.connect(
        quarantine=jobs.quarantine,
        data_url=settings.polymarket_data_api_base_url,
        clob_url=settings.polymarket_clob_base_url,
        gamma_url=settings.polymarket_gamma_base_url,
        data_version=settings.polymarket_data_api_version,
        max_rps=settings.polymarket_max_rps,
        burst=settings.polymarket_burst,
        counts=RequestCounts(counter.add if counter is not None else None),
    )
