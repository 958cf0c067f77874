"""A JSON-RPC provider in front of anvil that can be told to misbehave: HTTP and WebSocket on one port.

``async with EvmProxy(chain.rpc_url) as proxy`` gives ``proxy.url`` and ``proxy.ws_url``. Untouched it shows the chain
as an Arbitrum node does (the fields of Nitro included). ``proxy.fail(method, fault, times=n)`` plans faults,
``proxy.inject(...)`` lays Arbitrum's own transactions over blocks, ``proxy.view`` lags, forks or limits. Runs in the
event loop of the caller, so a test changes its mind between two calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter, deque
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import aiohttp
from aiohttp import web
from eth_hash.auto import keccak

from localnet import nitro
from localnet.evm_faults import (
    Drop,
    Envelope,
    Fault,
    FaultPlan,
    ForwardThen,
    HttpAnswer,
    Match,
    Result,
    RpcFault,
    Stall,
    Swallow,
)
from localnet.evm_view import ChainView
from localnet.jsonrpc import JsonRpc, RpcError
from localnet.nitro import Special
from localnet.ports import HOST

Json = dict[str, Any]


class _Cut(Exception):
    """The connection has to close without an answer."""


class _Http(Exception):
    """The whole HTTP answer is replaced."""

    def __init__(self, answer: HttpAnswer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class EvmProxy:
    """See the module. ``requests`` holds the last calls as (method, params), ``calls`` counts them by method."""

    def __init__(self, upstream: str, upstream_ws: str | None = None, port: int = 0) -> None:
        self._upstream = JsonRpc(upstream)
        self._upstream_ws = upstream_ws or upstream.replace("http", "ws", 1)
        self._port = port
        self._runner: web.AppRunner | None = None
        self._sockets: set[web.WebSocketResponse] = set()
        self.faults = FaultPlan()
        self.view = ChainView(self._upstream)
        self.calls: Counter[str] = Counter()
        self.requests: deque[tuple[str, list[Any]]] = deque(maxlen=10_000)
        self.muted = False
        self.muted_logs = False
        self.lost = 0
        self.refuse_sockets = False
        self.refuse_status = 503
        self._told: dict[web.WebSocketResponse, deque[Json]] = {}

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._port}"

    @property
    def ws_url(self) -> str:
        return f"ws://{HOST}:{self._port}"

    async def __aenter__(self) -> EvmProxy:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self) -> None:
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def close(self) -> None:
        await self.drop_sockets()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        await self._upstream.close()

    # What a test tells it.

    def fail(self, method: str, fault: Fault, times: int | None = 1, skip: int = 0, match: Match | None = None) -> None:
        """The next ``times`` calls of ``method`` (``*``: any; None: until ``heal``) meet the fault."""
        self.faults.add(method, fault, times, skip, match)

    def heal(self, method: str | None = None) -> None:
        """Ends the planned faults of one method, or all of them."""
        self.faults.clear(method)

    async def inject(self, special: Special, block: int | None = None, *, credit: bool = True) -> str:
        """Lays the transaction over a block (the next one by default) and returns its hash.

        A deposit's wei really arrive: with ``credit`` the balance of its receiver is raised on the chain.
        """
        if block is None:
            block = int(await self._upstream("eth_blockNumber"), 16) + 1
        self.view.specials.setdefault(block, []).append(special)
        if credit and special.type == nitro.DEPOSIT and special.value:
            held = int(await self._upstream("eth_getBalance", special.to, "latest"), 16)
            await self._upstream("anvil_setBalance", special.to, hex(held + special.value))
        return special.hash

    async def drop_sockets(self) -> None:
        """Cuts every WebSocket, as a provider's restart does; what happens meanwhile is not announced."""
        for socket in list(self._sockets):
            with contextlib.suppress(ConnectionError, RuntimeError):
                await socket.close(code=1012)

    async def take_back(self, tx_hash: str) -> None:
        """Announces the logs of a transaction once more, as `removed`: what nodes but anvil do in a reorg."""
        for socket, frames in list(self._told.items()):
            for frame in [one for one in frames if one["params"]["result"]["transactionHash"] == tx_hash]:
                removed = {**frame["params"]["result"], "removed": True}
                await socket.send_json({**frame, "params": {**frame["params"], "result": removed}})

    # HTTP.

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._serve_socket(request)
        if request.method != "POST":
            return web.Response(status=405)
        try:
            body = json.loads(await request.text())
        except ValueError:
            return web.json_response(
                {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "parse error"}}
            )
        try:
            if isinstance(body, list):
                answer: Any = [await self._answer(call) for call in body]
            else:
                answer = await self._answer(body)
        except _Http as replaced:
            fault = replaced.answer
            return web.Response(
                status=fault.status, text=fault.body, content_type=fault.content_type, headers=fault.headers
            )
        except (_Cut, aiohttp.ClientError):
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        return web.json_response(answer)

    async def _answer(self, call: Json) -> Any:
        """The response object of one call, faults applied."""
        method, params = str(call.get("method")), list(call.get("params") or [])
        self.calls[method] += 1
        self.requests.append((method, params))
        fault = self.faults.take(method, params)
        if fault is None:
            return await self._forward(call, method, params)
        if isinstance(fault, ForwardThen):
            await self._forward(call, method, params)
            fault = fault.fault
        return await self._meet(fault, call, params)

    async def _forward(self, call: Json, method: str, params: list[Any]) -> Json:
        try:
            result = await self.view.answer(method, params)
        except RpcError as error:
            return _response(call, error=error.error)
        return _response(call, result=result)

    async def _meet(self, fault: Fault, call: Json, params: Sequence[Any]) -> Any:
        if isinstance(fault, HttpAnswer):
            raise _Http(fault)
        if isinstance(fault, Stall):
            await asyncio.sleep(fault.seconds)
            raise _Cut
        if isinstance(fault, Envelope):
            return fault.value
        if isinstance(fault, Result):
            return _response(call, result=fault.value)
        if isinstance(fault, RpcFault):
            data = {} if fault.data is None else {"data": fault.data}
            return _response(call, error={"code": fault.code, "message": fault.message, **data})
        if isinstance(fault, Swallow):
            raw = bytes.fromhex(str(params[0]).removeprefix("0x"))
            return _response(call, result="0x" + keccak(raw).hex())
        if isinstance(fault, Drop):
            raise _Cut
        raise TypeError(f"unknown fault {fault!r}")

    # WebSocket: calls are answered like over HTTP, subscriptions pass through.

    async def _serve_socket(self, request: web.Request) -> web.StreamResponse:
        if self.refuse_sockets:
            return web.Response(status=self.refuse_status)
        downstream = web.WebSocketResponse(max_msg_size=64 * 2**20)
        await downstream.prepare(request)
        self._sockets.add(downstream)
        self._told[downstream] = deque(maxlen=100)
        try:
            async with aiohttp.ClientSession() as session, session.ws_connect(self._upstream_ws) as upstream:
                pump = asyncio.create_task(self._announce(upstream, downstream))
                try:
                    await self._read_calls(upstream, downstream)
                finally:
                    pump.cancel()
                    await asyncio.gather(pump, return_exceptions=True)
        except aiohttp.ClientError:
            await downstream.close(code=1011)
        finally:
            self._sockets.discard(downstream)
            del self._told[downstream]
        return downstream

    async def _read_calls(self, upstream: aiohttp.ClientWebSocketResponse, downstream: web.WebSocketResponse) -> None:
        async for message in downstream:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            call = json.loads(message.data)
            if isinstance(call, dict) and str(call.get("method")).endswith("subscribe"):
                self.calls[call["method"]] += 1
                await upstream.send_str(message.data)
                continue
            try:
                calls = call if isinstance(call, list) else [call]
                answers = [await self._answer(one) for one in calls]
            except (_Cut, _Http):
                await downstream.close(code=1011)
                return
            await downstream.send_json(answers if isinstance(call, list) else answers[0])

    async def _announce(self, upstream: aiohttp.ClientWebSocketResponse, downstream: web.WebSocketResponse) -> None:
        """Passes on what the node sends; ``muted`` loses all of it, ``muted_logs`` the logs; ``lost`` counts."""
        async for message in upstream:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            value = json.loads(message.data)
            if value.get("method") == "eth_subscription":
                is_log = "topics" in value["params"]["result"]
                if self.muted or (self.muted_logs and is_log):
                    self.lost += 1
                    continue
                shown = await self._shown_announcement(value["params"]["result"])
                if shown is None:
                    continue
                value["params"]["result"] = shown
                if is_log:
                    self._told[downstream].append(value)
            await downstream.send_json(value)
        await downstream.close(code=1012)

    async def _shown_announcement(self, result: Any) -> Any:
        if not isinstance(result, dict):
            return result
        if "parentHash" not in result:
            hidden = self.view.lag and "blockNumber" in result
            return None if hidden else self.view.shown_log(result) if "blockNumber" in result else result
        if self.view.lag:
            return await self.view.answer("eth_getBlockByNumber", ["latest", False])
        return self.view.shown_head(result)


def _response(call: Json, **content: Any) -> Json:
    return {"jsonrpc": "2.0", "id": call.get("id"), **content}
