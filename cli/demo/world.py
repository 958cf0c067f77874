"""What every act of the demo has: the API, the chain, and where each thing can be looked at."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any, NamedTuple, Self
from urllib.parse import quote

from cli.demo.chain import Chain
from cli.demo.client import Client, Resource
from cli.demo.solana import Solana
from domain.shared.money import parse_usdc


class Link(NamedTuple):
    """Where something can be looked at. `says` is what stands there; of an operation, what it says by now."""

    url: str
    says: str = ""
    operation: str = ""


class Ended(NamedTuple):
    """How a job ended, and where to look."""

    result: str
    links: tuple[Link, ...] = ()


class World:
    """One stack, reached through endpoints.json."""

    def __init__(self, endpoints: dict[str, Any]) -> None:
        self.endpoints = endpoints
        self.api_url = str(endpoints["api_url"])
        self.api = Client(self.api_url, endpoints["admin_api_key"])
        self.chain = Chain(endpoints["evm"])
        self.solana = Solana(endpoints["solana"]) if "solana" in endpoints else None
        """None: the nodes are real ones, whose clock nobody turns."""
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._open.enter_async_context(self.api)
        await self._open.enter_async_context(self.chain)
        if self.solana is not None:
            await self._open.enter_async_context(self.solana)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def account(self, name: str, role: str = "trader") -> str:
        return str((await self.api.post("/api/accounts", {"name": name, "role": role}))["id"])

    async def operator(self) -> Client:
        """Another operator than the administrator, with a key of their own."""
        account = await self.account("second operator", "operator")
        made = await self.api.post(f"/api/accounts/{account}/api-keys", {})
        return await self._open.enter_async_context(Client(self.api_url, made["api_key"]))

    async def available(self, account: str) -> int:
        """USDC in micros that the account may spend."""
        found = await self.api.get(f"/api/accounts/{account}/balances")
        return parse_usdc(next((str(item["available"]) for item in found["items"] if item["asset"] == "USDC"), "0"))

    def resource(self, path: str, says: str = "") -> Link:
        return Link(self.api_url + path, says)

    def workflow(self, workflow_id: str, says: str) -> Link:
        """A process that has no operation, in the Temporal UI."""
        return Link(f"{self._workflows}/{quote(workflow_id, safe='')}", says)

    def processes(self, kind: str, says: str) -> Link:
        """All processes of a kind, in the Temporal UI."""
        wanted = f'WorkflowType="{kind}"'
        return Link(f"{self._workflows}?query={quote(wanted)}", says)

    @property
    def _workflows(self) -> str:
        return f"{self.endpoints['temporal_ui_url']}/namespaces/{self.endpoints['temporal_namespace']}/workflows"

    async def process(self, resource: Resource) -> Link:
        """The process of a resource in the Temporal UI, with the sentence it has for people."""
        found = await self.api.get(f"/api/operations/{resource['operation_id']}")
        return Link(str(found["temporal_ui_url"]), str(found["summary"]), str(found["id"]))

    async def by_now(self, link: Link) -> Link:
        """The link with what its operation says now: the last step may have ended after the job."""
        if not link.operation:
            return link
        return link._replace(says=str((await self.api.get(f"/api/operations/{link.operation}"))["summary"]))
