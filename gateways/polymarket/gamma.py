"""Gamma: what a market is, and who a profile is."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import unquote, urlsplit

from domain.copytrade import position_ids
from domain.copytrade.venue import Market, Profile, Resolution
from gateways.polymarket import gamma_shapes, routes, wire
from gateways.polymarket.asking import Quarantine, Sorter, in_batches
from gateways.polymarket.routes import Route
from gateways.polymarket.transport import Refused, Transport
from gateways.polymarket.wire import Odd

BATCH: Final = 10
SEARCHED: Final = 20
T = TypeVar("T")

SITE: Final = "polymarket.com"
_WALLET: Final = re.compile(r"0x[0-9a-fA-F]{40}")
_HANDLE: Final = re.compile(r"[^\s/?#]{1,100}\Z")


class Gamma:
    def __init__(self, transport: Transport, quarantine: Quarantine) -> None:
        self._transport, self._quarantine = transport, quarantine

    async def markets(self, condition_ids: Sequence[str] = (), token_ids: Sequence[str] = ()) -> list[Market]:
        """Markets by any of their ids; those Gamma does not know (yet) are left out.

        Open and closed are two questions: without `closed=true` a closed market does not exist. Tokens of Protocol V2
        are asked for as what they are, positions; their number shows it.
        Raises: Unavailable, Quarantined.
        """
        second = {token for token in token_ids if position_ids.read(token) is not None}
        found = await self._by("condition_ids", condition_ids, _conditions)
        found += await self._by("clob_token_ids", [token for token in token_ids if token not in second], _tokens)
        found += await self._by("position_ids", [token for token in token_ids if token in second], _tokens)
        return list({market.condition_id: market for market in found}.values())

    async def _by(self, name: str, ids: Sequence[str], held: Callable[[Market], Sequence[str]]) -> list[Market]:
        """Ask for the open ones, then for the rest among the closed."""
        wanted = list(dict.fromkeys(ids))
        found = await self._listed(name, wire.both_forms(wanted), "false", gamma_shapes.market)
        known = {one for market in found for one in held(market)}
        rest = [one for one in wanted if one not in known]
        return found + await self._listed(name, wire.both_forms(rest), "true", gamma_shapes.market)

    async def resolutions(self, condition_ids: Sequence[str]) -> list[Resolution]:
        """Resolutions as Gamma tells them, for times when the Data API does not. Resolved means closed, named so, and
        prices that sum to 1; old closed markets show 0 and 0 and stay open here.
        """
        return await self._listed("condition_ids", wire.both_forms(condition_ids), "true", gamma_shapes.resolution)

    async def _listed(self, name: str, ids: Sequence[str], closed: str, parse: Callable[[Any], T]) -> list[T]:
        sorter = Sorter(self._transport, self._quarantine)

        async def ask(batch: Sequence[str]) -> list[T]:
            params = [*((name, one) for one in batch), ("closed", closed), ("limit", "100")]
            raw = await self._array(routes.MARKETS, params)
            return await sorter.parse(routes.MARKETS, raw, parse)

        async def refused(one: str, refusal: Refused) -> None:
            await sorter.keep(routes.MARKETS, f"refused: {refusal.detail}", {name: one})

        return await in_batches(ids, BATCH, ask, refused)

    async def profile(self, who: str) -> Profile | None:
        """Who a profile's URL, an address or a user name is; None when the venue knows nobody of that name.

        An address may be the trading wallet or the owner's own. An unknown one is returned as it is: a wallet that
        never made a profile trades all the same. Names are compared without case; two equal ones are nobody.
        Raises: Unavailable, Quarantined.
        """
        address, name = named(who)
        if address:
            return await self._of_address(address)
        return await self._of_name(name) if name else None

    async def _of_address(self, address: str) -> Profile:
        try:
            answer = await self._transport.get(routes.PROFILE, [("address", address)])
        except Refused as refusal:
            if refusal.status not in (404, 422):
                raise
            answer = None
        found = self._whole(routes.PROFILE, answer, gamma_shapes.profile)
        return found or Profile(address, "", "")

    async def _of_name(self, name: str) -> Profile | None:
        params = [("q", name), ("search_profiles", "true"), ("limit_per_type", str(SEARCHED))]
        answer = await self._transport.get(routes.SEARCH, params)
        found = self._whole(routes.SEARCH, answer, _profiles)
        for column in ("name", "pseudonym"):
            called = {one.wallet: one for one in found if getattr(one, column).casefold() == name.casefold()}
            exactly = {wallet: one for wallet, one in called.items() if getattr(one, column) == name}
            for matches in (exactly, called):
                if len(matches) == 1:
                    return next(iter(matches.values()))
        return None

    async def _array(self, route: Route, params: list[tuple[str, str]]) -> list[Any]:
        answer = await self._transport.get(route, params)
        return self._whole(route, answer, lambda raw: wire.items(raw, "answer"))

    def _whole(self, route: Route, answer: Any, parse: Callable[[Any], T]) -> T:
        try:
            return parse(answer)
        except Odd as odd:
            raise self._transport.odd(route, str(odd), answer) from odd


def named(who: str) -> tuple[str, str]:
    """The wallet or the user name in what a person typed: an address, a name, @name, or a profile's URL.

    Returns:  (wallet in lower case, "") or ("", name); both empty when it is neither.
    """
    text = who.strip()
    if "/" in text:
        page = urlsplit(text if "//" in text else f"//{text}")
        parts = [part for part in page.path.split("/") if part]
        ours = f".{page.hostname or ''}".endswith(f".{SITE}")
        text = unquote(parts[-1]) if parts and ours else ""
    address = _WALLET.match(text)
    if address and (address.end() == len(text) or text[address.end()] == "-"):  # default names are <wallet>-<time>
        return address.group().lower(), ""
    name = text.removeprefix("@")
    return "", name if _HANDLE.match(name) else ""


def _profiles(answer: Any) -> list[Profile]:
    raw = wire.fields(answer, "answer").get("profiles")
    found = [gamma_shapes.profile(one) for one in wire.items(raw if raw is not None else [], "profiles")]
    return [profile for profile in found if profile is not None]


def _conditions(market: Market) -> Sequence[str]:
    return (market.condition_id,)


def _tokens(market: Market) -> Sequence[str]:
    return [token.token_id for token in market.tokens]
