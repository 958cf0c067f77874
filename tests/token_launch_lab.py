"""Launches as they run in production: worker and signer in processes that may be killed, a Solana with our programs, a
pinning node, real Postgres and Temporal. Slots are made final quickly, so that a launch takes a second or two."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import to_bytes_versioned
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from composition.launch_policy import launch_policy
from domain.launchpad import promo
from domain.launchpad.allocation import Allocation
from domain.launchpad.cids import cid_of
from domain.launchpad.launch_messages import GiveUp, LaunchState, Signed
from domain.launchpad.launching import Launch, LaunchPolicy
from domain.launchpad.pictures import read_picture
from domain.launchpad.request import SOL, LaunchRequest, check_request
from domain.launchpad.signing import MEMO
from domain.launchpad.steps import Step, plan_key
from domain.shared import ids
from domain.shared.errors import Rejected
from domain.shared.processes import RetryProcess
from gateways.solana.drafting import Drafting
from gateways.solana.launching import LaunchWire
from gateways.solana.nodes import RpcNodes
from localnet.svm.programs import PROGRAMS, configure_pools
from localnet.upstreams.server import Upstreams
from settings.launchpad import LaunchpadSettings
from storage.books import Books
from storage.database import make_pool, transaction
from storage.events import new_id
from storage.intents.launches import open_launch
from storage.intents.opened import Opened
from storage.intents.pictures import keep_picture
from storage.intents.solana import issue, plan_of, submit
from storage.intents.system import set_control
from storage.launchpad.launches import LaunchStore
from storage.launchpad.nonces import nonce_of
from tests.launch_records import LaunchRecords
from tests.picture_lab import png
from tests.svm_lab import blockhash, pays, send, signed
from tests.world.svm import running_svm_process
from workflows import client as temporal
from workflows.client import Processes

TERMS: dict[str, Any] = {
    "name": "Lab Token",
    "symbol": "LAB",
    "description": "Made by a test.",
    "total_supply": 1_000_000_000 * 10**6,
    "decimals": 6,
    "allocation_bps": Allocation(public=4_000, team=1_500, liquidity=2_500, ecosystem=1_000, reserve=1_000),
    "curve_type": "linear",
    "initial_price": 100 * 10**9,
    "target_price": 300 * 10**9,
    "soft_cap_lamports": 10 * SOL,
    "hard_cap_lamports": 50 * SOL,
    "transfer_fee_bps": 100,
    "signing": "platform",
}


class TokenLab(LaunchRecords):
    """`creator`: a funded wallet, `account`: whose launches these are."""

    creator: Keypair
    account: str
    picture: str
    ipfs: Upstreams
    settings: LaunchpadSettings
    drafting: Drafting
    hurried = True
    """Every turn of the hurry takes 32 slots, so a blockhash lives some turns; a test that needs it longer says so."""

    @property
    def policy(self) -> LaunchPolicy:
        found = launch_policy(self.settings)
        assert found is not None
        return found

    @property
    def wire(self) -> LaunchWire:
        return LaunchWire(self.policy)

    # asking

    def request(self, **change: Any) -> LaunchRequest:
        now = datetime.now(UTC)
        whole = {"starts_at": now, "ends_at": now + timedelta(days=1), "logo": self.picture,
                 "creator_wallet": str(self.creator.pubkey()), **TERMS, **change}  # fmt: skip
        found = LaunchRequest(**whole)
        check_request(found, now)
        return found

    async def open(self, **change: Any) -> Opened:
        """As the API accepts it; its process is not started."""
        async with transaction(self.pool) as connection:
            return await open_launch(
                connection,
                account_id=self.account,
                request=self.request(**change),
                policy=self.policy,
                requested_by=self.account,
            )

    async def start(self, opened: Opened) -> Opened:
        await self.processes.start(
            "token_launch", opened.subject_id, opened.workflow_id, "test", operation_id=opened.operation_id
        )
        return opened

    async def begin(self, **change: Any) -> Opened:
        return await self.start(await self.open(**change))

    async def cancel(self, opened: Opened) -> LaunchState:
        asked = GiveUp(launch_id=opened.subject_id, principal=self.account)
        return await self.processes.update(opened.workflow_id, "cancel", asked, LaunchState, update_id=new_id())

    async def retry(self, opened: Opened) -> None:
        assert await self.processes.signal(opened.workflow_id, "retry", RetryProcess(cause="test"))

    async def tell_signed(self, opened: Opened, key: str) -> None:
        """As the API does: a process that does not await it yet will find it in the books."""
        news = Signed(key=key, signature="")
        try:
            await self.processes.update(
                ids.token_launch(opened.subject_id), "submit_signature", news, LaunchState, update_id=new_id()
            )
        except Rejected as refused:
            if refused.code != "signature_not_awaited":
                raise

    @asynccontextmanager
    async def set_to(self, **more: str) -> AsyncIterator[None]:
        """Another worker with these settings too, while the block runs."""
        before = (self.more, self.settings)
        self.more = {**self.more, **more}
        self.settings = _settings(self, self.more)
        await self.kill()
        await self.start_worker()
        try:
            yield
        finally:
            self.more, self.settings = before
            await self.kill()
            await self.start_worker()

    # a creator's wallet

    async def issued(self, opened: Opened, step: Step) -> bytes:
        """What the API shows as `to_sign`, once it is awaited."""
        key = plan_key(opened.subject_id, step)
        planned = "SELECT 1 FROM launchpad.launches WHERE id = %s AND status = 'waiting_signature' AND step = %s"
        await self.until(lambda: self.rows(planned, opened.subject_id, step.name), bool)
        async with transaction(self.pool) as connection:
            plan, nonce_id = await plan_of(connection, key), await nonce_of(connection, key)
        draft = await self.drafting.draft(plan, nonce_id=nonce_id)
        async with transaction(self.pool) as connection:
            given = await issue(connection, plan, draft, platform=self.platform)
        return base64.b64decode(given.transaction_base64)

    def signed_by(self, wallet: Keypair, unsigned: bytes) -> bytes:
        """With the wallet's signature in its place."""
        message = VersionedTransaction.from_bytes(unsigned).message
        place = 1 + 64 * message.account_keys.index(wallet.pubkey())
        signature = bytes(wallet.sign_message(to_bytes_versioned(message)))
        return unsigned[:place] + signature + unsigned[place + 64 :]

    async def hand_in(self, opened: Opened, step: Step, raw: bytes) -> None:
        """As the API does."""
        key = plan_key(opened.subject_id, step)
        [row] = await self.rows("SELECT id FROM launchpad.transactions WHERE key = %s", key)
        wire = self.drafting.read_signed(raw)
        async with transaction(self.pool) as connection:
            await submit(connection, row["id"], wire, platform=self.platform)
        await self.tell_signed(opened, key)

    async def sign(self, opened: Opened, step: Step) -> None:
        """The creator's wallet signs what is awaited."""
        await self.hand_in(opened, step, self.signed_by(self.creator, await self.issued(opened, step)))

    async def switch(self, *, on: bool) -> None:
        async with transaction(self.pool) as connection:
            await set_control(connection, name="launchpad.launches", enabled=on, reason="test", principal="test")

    async def pay(
        self, lamports: int, to: str | None = None, payer: Keypair | None = None, memo: str | None = None
    ) -> str:
        """A plain transfer on the chain, with the memo of the account; its signature."""
        payer = payer or self.creator
        said = Instruction(Pubkey.from_string(MEMO), (promo.memo(self.account) if memo is None else memo).encode(), [])
        steps = [pays(payer, Pubkey.from_string(to or self.platform), lamports), said]
        return await send(self.url, signed(payer, steps, await blockhash(self.url)))

    # who asks

    async def newcomer(self) -> None:
        """Another creator with an account, SOL and a picture of his own; the platform has a hundred SOL again."""
        self.account, self.creator = new_id(), Keypair()
        content = png(pad=secrets.randbelow(5_000) + 1)
        for wallet, lamports in ((self.creator.pubkey(), 100 * SOL), (self.wallet.pubkey(), 100 * SOL)):
            await self.node.control("account", key=str(wallet), lamports=lamports)
        async with transaction(self.pool) as connection:
            await connection.execute(
                "INSERT INTO platform.accounts (id, name, role) VALUES (%s, 'creator', 'creator')", [self.account]
            )
            self.picture = await keep_picture(
                connection,
                account_id=self.account,
                picture=read_picture(content),
                sha256=hashlib.sha256(content).hexdigest(),
                cid=cid_of(content),
                content=content,
            )

    # what came of it

    async def launch(self, opened: Opened) -> Launch:
        return await LaunchStore(Books(self.pool), self.policy).launch(opened.subject_id)


def _settings(lab: TokenLab, more: dict[str, str]) -> LaunchpadSettings:
    """What the API would be started with."""
    shared: dict[str, Any] = {name: value for name, value in more.items() if name in LaunchpadSettings.model_fields}
    return LaunchpadSettings(
        solana_rpc_url=tuple(lab.node.urls),
        solana_cluster="localnet",
        solana_platform_address=lab.platform,
        **shared,
    )


async def _unknown(*told: Any) -> None:
    raise AssertionError(told)


async def _hurry(lab: TokenLab, every: float) -> None:
    """Makes what is confirmed final."""
    while True:
        if lab.hurried:
            with contextlib.suppress(aiohttp.ClientError):  # a test has killed the node
                await lab.node.control("finalize")
        await asyncio.sleep(every)


@asynccontextmanager
async def token_lab(
    dsn: str, address: str, directory: Path, *, hurry: float = 0.5, **more: str
) -> AsyncIterator[TokenLab]:
    """No worker is started yet. `more`: their settings."""
    processes = Processes(await temporal.connect(address, "default"))
    programs = {program.address: program.elf for program in PROGRAMS.values()}
    async with contextlib.AsyncExitStack() as stack:
        node = await stack.enter_async_context(running_svm_process(directory, programs=programs))
        ipfs = await stack.enter_async_context(Upstreams())
        pool = await stack.enter_async_context(make_pool(dsn, size=4, name="lab"))
        lab = TokenLab(dsn, address, processes, pool, node)
        lab.ipfs = ipfs
        lab.more = {
            "launchpad_program_id": PROGRAMS["launchpad"].address,
            "launchpad_pool_program_id": PROGRAMS["pool"].address,
            "ipfs_api_url": ipfs.url,
            "ipfs_gateway_url": f"{ipfs.url}/ipfs",
            **more,
        }
        lab.settings = _settings(lab, lab.more)
        nodes = RpcNodes.connect(tuple(node.urls), calls_per_s=1_000, quarantine=_unknown)
        stack.push_async_callback(nodes.aclose)
        lab.drafting = Drafting(nodes, platform=lab.platform, price_most=1_000_000)
        await configure_pools(node.urls[0])
        await lab.newcomer()
        hurrying = asyncio.create_task(_hurry(lab, hurry))
        try:
            yield lab
        finally:
            hurrying.cancel()
            await lab.kill()
