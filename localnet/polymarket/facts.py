"""Facts: deeds with nothing left open, so that the same facts make the same world again. See ``journal.py``."""

from __future__ import annotations

from typing import Any, NamedTuple

from localnet.polymarket import deeds
from localnet.polymarket.feed import Row
from localnet.polymarket.markets import Stage
from localnet.polymarket.numbers import micros
from localnet.polymarket.venue import Venue


class Action(NamedTuple):
    """A verb of the control routes and what it is told, amounts as decimal strings."""

    verb: str
    asked: dict[str, Any]


def apply(venue: Venue, action: Action) -> list[Row]:
    """Does it and returns the rows of the wallet. Raises ValueError, and then nothing changed."""
    verb, asked = action.verb, action.asked
    if verb in _WORLD:
        _WORLD[verb](venue, asked)
        return []
    wallet = venue.wallet(asked["wallet"])
    when = venue.when(asked.get("at"), asked.get("tx_hash", ""), asked.get("block"))
    if verb == "trade":
        market, token = venue.token(asked["token"])
        usdc = micros(asked["usdc"]) if "usdc" in asked else None
        return [
            deeds.fill(
                venue, wallet, market, token, asked["side"], micros(asked["shares"]), micros(asked["price"]),
                role=asked.get("role", "taker"), usdc=usdc, fee=micros(asked["fee"]) if "fee" in asked else None,
                labelled=asked.get("labelled", True), when=when,
            )
            for _ in range(asked.get("copies", 1))
        ]  # fmt: skip
    if verb == "convert":
        markets, fee_bps = [venue.market(one) for one in asked["markets"]], int(asked.get("fee_bps", 0))
        return [deeds.convert(venue, wallet, markets, micros(asked["amount"]), fee_bps=fee_bps, when=when)]
    if verb == "credit":
        side = str(asked.get("side", ""))
        return [deeds.credit(venue, wallet, asked["kind"], micros(asked["amount"]), side=side, when=when)]
    if verb == "combo":
        return [deeds.combo(venue, wallet, micros(asked["shares"]), micros(asked["price"]), when)]
    market = venue.market(asked["market"])
    if verb == "redeem":
        return deeds.redeem(venue, wallet, market, with_token=asked.get("with_token", False), when=when)
    make = {"split": deeds.split, "merge": deeds.merge}[verb]
    return [make(venue, wallet, market, micros(asked["pairs"]), when)]


def _market(venue: Venue, asked: dict[str, Any]) -> None:
    name = asked.get("event", asked["slug"])
    event = venue.events.get(name) or venue.add_event(
        name, name.replace("-", " "), asked.get("category", "geopolitics"), neg_risk=bool(asked.get("neg_risk"))
    )
    labels = asked.get("labels", ["Yes", "No"])
    venue.add_market(
        event, asked["slug"], asked.get("question", asked["slug"].replace("-", " ") + "?"),
        labels=(str(labels[0]), str(labels[1])), tick=micros(asked.get("tick", "0.01")),
        ends_at=None if asked.get("ends_at") is None else int(asked["ends_at"]), version=asked.get("version", "v1"),
        seconds_delay=int(asked.get("seconds_delay", 0)), starts_at=asked.get("starts_at"),
    )  # fmt: skip


def _resolve(venue: Venue, asked: dict[str, Any]) -> None:
    first, second = map(micros, asked["payouts"])
    venue.move(venue.market(asked["market"]), Stage.RESOLVED, (first, second), asked.get("at"), asked.get("block"))


def _stage(venue: Venue, asked: dict[str, Any]) -> None:
    venue.move(venue.market(asked["market"]), Stage(asked["stage"]), None, asked.get("at"))


def _tick(venue: Venue, asked: dict[str, Any]) -> None:
    venue.market(asked["market"]).tick = micros(asked["tick"])


def _forget(venue: Venue, asked: dict[str, Any]) -> None:
    venue.forget_market(venue.market(asked["market"]))


_WORLD = {"market": _market, "resolve": _resolve, "stage": _stage, "tick": _tick, "forget": _forget}
