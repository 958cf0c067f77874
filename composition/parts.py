"""What every process of ours opens first: Temporal's client, the pool, the chain, and what they are shared as."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from temporalio.client import Client, Interceptor
from temporalio.runtime import Runtime

from domain.shared.errors import Broken
from gateways.evm.chain import EvmNode
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
    if settings.sandbox_mode and settings.mainnet:
        raise Broken("wrong_chain", f"SANDBOX_MODE is on but chain {settings.arbitrum_chain_id} carries real money")
    dsn = settings.database_url.get_secret_value()
    async with make_pool(dsn, size=settings.database_pool_size, name=name) as pool:
        books = Books(pool)
        jobs = JobStore(books)
        chain = make_chain(settings, jobs)
        sender = WebhookSender(allow_private=settings.holdfast_profile == "local")
        try:
            yield Parts(pool, books, jobs, chain, Processes(client), Listener(dsn), sender)
        finally:
            await chain.aclose()
            await sender.aclose()


def make_chain(settings: WorkerSettings, jobs: JobStore) -> EvmNode:
    return EvmNode.connect(
        [settings.arbitrum_rpc_url, settings.arbitrum_rpc_fallback_url],
        chain_id=settings.arbitrum_chain_id,
        token=settings.usdc_contract_address.lower(),
        quarantine=jobs.quarantine,
        ws_url=settings.arbitrum_ws_url,
        poll_s=settings.scanner_poll_ms / 1000,
    )
