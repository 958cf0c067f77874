"""What `holdfast copytrade record` does: asks the venue round by round, through the clients the workers use."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from cli import context
from cli.failures import Usage
from cli.output import progress
from domain.shared.errors import Rejected, Unavailable

if TYPE_CHECKING:
    from gateways.polymarket.client import Polymarket
    from gateways.polymarket.market_socket import MarketSocket

TOKENS_MAX: Final = 100
"""Books asked for in a round: those of the wallets' newest tokens."""


class Watch(NamedTuple):
    wallets: tuple[str, ...]
    out: Path
    seconds: float
    every: float
    hours: float


@dataclass
class Found:
    """What the file holds, and what was not understood. A failed request is part of the recording, not its end."""

    frames: int = 0
    requests: dict[str, int] = field(default_factory=dict)
    odd: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    async def quarantine(self, source: str, kind: str, reason: str, payload: Any) -> None:
        self.odd[f"{kind}: {reason}"] += 1

    async def attempt(self, asking: Awaitable[Any]) -> Any:
        """The answer, or None after a failure, which is noted once."""
        try:
            return await asking
        except (Unavailable, Rejected) as failure:
            if str(failure) not in self.failures:
                self.failures.append(str(failure))
            return None

    def as_json(self) -> dict[str, Any]:
        return {"frames": self.frames, "requests": self.requests, "odd": dict(self.odd), "failures": self.failures}


def venue_settings(data_dir: Path | None) -> dict[str, Any]:
    """The POLYMARKET_ settings alone: this command needs no database and no keys."""
    from pydantic import BaseModel, ValidationError, create_model
    from pydantic_settings import BaseSettings

    from settings import WorkerSettings, load_file_secrets

    load_file_secrets()
    fields = {n: (f.annotation, f) for n, f in WorkerSettings.model_fields.items() if n.startswith("polymarket_")}
    stack = {n: v for n, v in context.stack_values(data_dir).items() if n in fields and n.upper() not in os.environ}
    try:
        made = create_model("VenueSettings", __base__=BaseSettings, **fields)  # type: ignore[call-overload]
        values = cast("type[BaseModel]", made)(**stack).model_dump()
    except ValidationError as error:
        raise Usage(f"POLYMARKET settings: {error.errors()[0]['loc']}: {error.errors()[0]['msg']}") from error
    return values


async def watch(asked: Watch, data_dir: Path | None) -> Found:
    """Record until the time is over. Raises: Rejected profile_not_found; what else fails is noted and goes on."""
    from gateways.polymarket.client import Polymarket
    from gateways.polymarket.market_socket import MarketSocket
    from gateways.polymarket.recording import Recorder

    settings, found = venue_settings(data_dir), Found()
    with Recorder(asked.out) as recorder, progress("recording"):
        venue = Polymarket.connect(
            quarantine=found.quarantine,
            data_url=settings["polymarket_data_api_base_url"],
            clob_url=settings["polymarket_clob_base_url"],
            gamma_url=settings["polymarket_gamma_base_url"],
            data_version=settings["polymarket_data_api_version"],
            max_rps=settings["polymarket_max_rps"],
            burst=settings["polymarket_burst"],
            recorder=recorder,
        )
        url = settings["polymarket_market_ws_url"]
        socket = MarketSocket(url, quarantine=found.quarantine, recorder=recorder) if url else None
        try:
            await _rounds(venue, socket, asked, found)
        finally:
            if socket is not None:
                await socket.aclose()
            await venue.aclose()
        found.frames = recorder.frames
        found.requests = dict(Counter(route for (route, _), n in venue.counts.totals.items() for _ in range(n)))
    return found


async def _rounds(venue: Polymarket, socket: MarketSocket | None, asked: Watch, found: Found) -> None:
    wallets = []
    for who in asked.wallets:
        profile = await venue.gamma.profile(who)
        if profile is None:
            raise Rejected("profile_not_found", f"the venue knows no {who!r}")
        wallets.append(profile.wallet)
    ends = time.monotonic() + asked.seconds
    since = int(time.time() - asked.hours * 3600)
    tokens: dict[str, str] = {}
    while True:
        began = time.monotonic()
        for wallet in wallets:
            tokens |= await _wallet(venue, wallet, since, found)
        newest = list(tokens)[-TOKENS_MAX:]
        await _markets(venue, newest, sorted({tokens[token] for token in newest}), found)
        if socket is not None:
            await socket.follow(newest)
        since = int(time.time()) - 120
        left = ends - time.monotonic()
        if left <= 0:
            return
        await asyncio.sleep(min(left, max(0.0, began + asked.every - time.monotonic())))


async def _wallet(venue: Polymarket, wallet: str, since: int, found: Found) -> dict[str, str]:
    """One wallet; returns the tokens met, newest last, each with its condition."""
    from domain.copytrade.venue import Kind

    everything = tuple(Kind)
    activity = await found.attempt(venue.data.activity(wallet, since, None, everything))
    trades = await found.attempt(venue.data.trades(wallet, since))
    positions = await found.attempt(venue.data.positions(wallet)) or []
    await found.attempt(venue.data.value(wallet))
    met = {position.token_id: position.condition_id for position in positions}
    for feed in (trades, activity):
        for row in feed.rows if feed else ():
            if row.token_id and not row.is_combo:
                met.pop(row.token_id, None)
                met[row.token_id] = row.condition_id
    return met


async def _markets(venue: Polymarket, tokens: list[str], conditions: list[str], found: Found) -> None:
    """Everything about the markets of a round."""
    await found.attempt(venue.data.status())
    await found.attempt(venue.clob.time())
    if not tokens:
        return
    await found.attempt(venue.clob.books(tokens))
    await found.attempt(venue.clob.midpoints(tokens))
    await found.attempt(venue.clob.prices(tokens))
    await found.attempt(venue.clob.last_trades(tokens))
    await found.attempt(venue.gamma.markets(conditions))
    await found.attempt(venue.data.resolutions(conditions))
    for condition in conditions[-5:]:
        await found.attempt(venue.clob.market(condition))
        await found.attempt(venue.clob.clob_market(condition))
    await found.attempt(venue.clob.book(tokens[-1]))
