"""`/api/sync`: the WebSocket of the launchpad. Messages are JSON `{op, channel, key, seq}`; docs/concepts/sync.md.

A page of ours is signed in by its session, a program by `Authorization`. Without either, public channels are open.
"""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import Any, Final

import msgspec
from litestar import WebSocket, websocket
from litestar.exceptions import WebSocketDisconnect

from api.deps import Deps
from api.events.hub import Hub
from api.http.auth import SESSION_COOKIE, Authenticator
from api.http.cors import origin_of
from api.http.edge import RequestMetrics
from api.http.scopes import Principal
from api.launchpad.session import Ended, Session
from domain.shared.errors import Rejected, Unavailable

MESSAGE_MOST: Final = 4_096
"""Characters a client may say at once."""
SOCKETS_MOST: Final = 2_000
"""Connections of one process."""
REFUSED: Final = 4401
TOO_LARGE: Final = 1009
AGAIN: Final = 1013
GONE: Final = 1000
CLOSE_S: Final = 1.0
LEAVE_S: Final = 2.0

Socket = WebSocket[Any, Any, Any]


class Sockets:
    """The open connections of this process."""

    def __init__(self) -> None:
        self.count = 0
        self._none = asyncio.Event()
        self._none.set()

    def opened(self) -> None:
        self.count += 1
        self._none.clear()

    def closed(self) -> None:
        self.count -= 1
        if not self.count:
            self._none.set()

    async def gone(self) -> None:
        """Until every client has been told that the server is going: the server cuts what is open when it stops."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                await self._none.wait()


@websocket("/api/sync")
async def sync_socket(socket: Socket, deps: Deps, hub: Hub, metrics: RequestMetrics) -> None:
    """Follow projects, taxes and referrals: a snapshot of each, then numbered changes."""
    await socket.accept()
    sockets: Sockets = socket.app.state.sockets
    if sockets.count >= SOCKETS_MOST:
        await socket.close(AGAIN, "this server follows enough: try another or later")
        return
    try:
        principal = await _principal(socket, origin_of(deps.config.public_url))
    except (Rejected, Unavailable) as refusal:
        told = {"op": "error", "code": refusal.code, "detail": refusal.detail}
        await socket.send_data(msgspec.json.encode(told).decode())
        await socket.close(REFUSED, refusal.code)
        return
    sockets.opened()
    metrics.streams.inc()
    try:
        await _serve(socket, deps, hub, principal)
    finally:
        sockets.closed()
        metrics.streams.dec()


async def _principal(socket: Socket, own_origin: str) -> Principal | None:
    """Who asks; None for nobody. A session counts only for pages of our own: any page's script can open a socket, and
    the browser sends the cookie with it."""
    origin = socket.headers.get("origin")
    by_cookie = SESSION_COOKIE in socket.cookies and origin in (None, own_origin)
    if "authorization" not in socket.headers and not by_cookie:
        return None
    authenticator: Authenticator = socket.app.state.authenticator
    return await authenticator.identify(socket)


async def _serve(socket: Socket, deps: Deps, hub: Hub, principal: Principal | None) -> None:
    subscription = hub.subscribe()
    session = Session(deps, subscription, principal, partial(_send, socket))
    hearing, listening = asyncio.create_task(session.hear()), asyncio.create_task(_listen(socket, session))
    try:
        await session.run()
    except Ended as ended:
        await _close(socket, listening, ended.code, ended.reason)
    except Unavailable as away:
        await _close(socket, listening, AGAIN, away.code)
    finally:
        hub.unsubscribe(subscription)
        hearing.cancel()
        listening.cancel()
        await asyncio.gather(hearing, listening, return_exceptions=True)


async def _send(socket: Socket, text: str) -> None:
    try:
        await socket.send_data(text)
    except RuntimeError as gone:  # the server's way to say that nobody is there any more
        raise Ended(GONE, "") from gone


async def _close(socket: Socket, listening: asyncio.Task[None], code: int, reason: str) -> None:
    """Say why. The server takes the word only while nobody reads; a client that does not read does not read this
    either, and one that goes on talking may lose it: then the connection is just dropped."""
    with contextlib.suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
        async with asyncio.timeout(CLOSE_S):
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            await socket.close(code, reason)


async def _listen(socket: Socket, session: Session) -> None:
    """Until the client has gone."""
    try:
        while True:
            text = await socket.receive_data("text")
            if len(text) > MESSAGE_MOST:
                session.end(TOO_LARGE, f"at most {MESSAGE_MOST} characters at once")
            session.say(text if isinstance(text, str) else "")
    except WebSocketDisconnect:
        session.end(GONE, "")
