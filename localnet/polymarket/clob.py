"""The CLOB's public reads: books, prices, markets. Prices and sizes are strings, the best level stands last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from localnet.polymarket import books
from localnet.polymarket.asked import Asked, Refused
from localnet.polymarket.books import Book
from localnet.polymarket.markets import Market, Stage, Token
from localnet.polymarket.numbers import ONE, number, text
from localnet.polymarket.rows import moment
from localnet.polymarket.shelf import Shelf

MOST = 500
NO_BOOK = "No orderbook exists for the requested token id"

Body = list[dict[str, Any]]


class Clob:
    """GET handlers take the query, POST handlers the list in the body."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.venue = shelf.venue

    def routes(self) -> dict[str, Callable[[Asked], Any]]:
        return {
            "/book": lambda asked: self._summary(self._asked_for(asked)),
            "/midpoint": lambda asked: {"mid": self._mid(self._asked_for(asked))},
            "/price": lambda asked: {"price": self._price(self._asked_for(asked), asked.text("side"))},
            "/spread": lambda asked: {"spread": self._spread(self._asked_for(asked))},
            "/last-trade-price": lambda asked: self._last(self._known(asked)),
            "/tick-size": lambda asked: {"minimum_tick_size": number(self._known(asked)[0].tick)},
            "/neg-risk": lambda asked: {"neg_risk": self._known(asked)[0].neg_risk},
            "/fee-rate": lambda asked: {"base_fee": 1000 if self._known(asked)[0].fees.rate_ppm else 0},
            "/time": lambda asked: self.venue.now_ms() // 1000,
            "/ok": lambda asked: "OK",
            "/version": lambda asked: {"version": 2},
            "/prices-history": self.history,
        }

    def posts(self) -> dict[str, Callable[[Body], Any]]:
        return {
            "/books": lambda body: [self._summary(one) for one in self._shown(body)],
            "/midpoints": lambda body: {one[1].id: self._mid(one) for one in self._shown(body)},
            "/prices": self.prices,
            "/spreads": lambda body: {one[1].id: self._spread(one) for one in self._shown(body)},
            "/last-trades-prices": self.last_prices,
        }

    # One token.

    def _known(self, asked: Asked) -> tuple[Market, Token]:
        token_id = asked.text("token_id")
        if not token_id:
            raise Refused("Invalid token id")
        if token_id not in self.venue.tokens:
            raise Refused("market not found", "not_found")
        return self.venue.tokens[token_id]

    def _asked_for(self, asked: Asked) -> tuple[Market, Token, Book]:
        """Unknown, closed and settled tokens answer alike: there is no book."""
        token_id = asked.text("token_id")
        if not token_id:
            raise Refused("Invalid token id")
        book = self.shelf.book(token_id)
        if book is None:
            raise Refused(NO_BOOK, "not_found")
        return (*self.venue.tokens[token_id], book)

    def _summary(self, one: tuple[Market, Token, Book]) -> dict[str, Any]:
        market, token, book = one
        return books.summary(market, token, book, self.shelf.last.get(token.id))

    def _mid(self, one: tuple[Market, Token, Book]) -> str:
        bid, ask = one[2].best_bid(), one[2].best_ask()
        if bid is None or ask is None:
            raise Refused(NO_BOOK if bid is ask else "No midpoint for a one-sided book", "not_found")
        return text((bid + ask) // 2)

    def _price(self, one: tuple[Market, Token, Book], side: str) -> str:
        """BUY is the best bid, SELL the best ask."""
        if side.upper() not in ("BUY", "SELL"):
            raise Refused("Invalid side")
        best = one[2].best_bid() if side.upper() == "BUY" else one[2].best_ask()
        return text(best) if best is not None else "0"

    def _spread(self, one: tuple[Market, Token, Book]) -> str:
        bid, ask = one[2].best_bid(), one[2].best_ask()
        if bid is None or ask is None:
            raise Refused(NO_BOOK, "not_found")
        return text(ask - bid)

    def _last(self, one: tuple[Market, Token]) -> dict[str, str]:
        """A token nobody traded answers 0.5 with an empty side."""
        last = self.shelf.last.get(one[1].id)
        return {"price": text(last.price), "side": last.side} if last else {"price": "0.5", "side": ""}

    # Many tokens.

    def _shown(self, body: Body) -> list[tuple[Market, Token, Book]]:
        """The tokens that have a book; the others are left out of the answer."""
        found = []
        for token_id in _tokens(body):
            book = self.shelf.book(token_id)
            if book is not None:
                found.append((*self.venue.tokens[token_id], book))
        return found

    def prices(self, body: Body) -> dict[str, dict[str, str]]:
        answer: dict[str, dict[str, str]] = {}
        sides: dict[str, list[str]] = {token_id: [] for token_id in _tokens(body)}
        for one in body:
            sides[str(one.get("token_id", ""))].append(str(one.get("side") or ""))
        for market, token, book in self._shown(body):
            for side in sides[token.id]:
                for each in [side] if side else ["BUY", "SELL"]:
                    answer.setdefault(token.id, {})[each] = self._price((market, token, book), each)
        return answer

    def last_prices(self, body: Body) -> list[dict[str, str]]:
        known = [token_id for token_id in _tokens(body) if token_id in self.shelf.last]
        return [{"token_id": token_id, **self._last(self.venue.tokens[token_id])} for token_id in known]

    # Markets.

    def market(self, key: str) -> dict[str, Any]:
        found = self._market(key)
        return {
            "enable_order_book": not found.closed,
            "active": True,
            "closed": found.closed,
            "archived": False,
            "accepting_orders": found.accepts_orders,
            "accepting_order_timestamp": moment(found.starts_at),
            "minimum_order_size": number(found.min_order),
            "minimum_tick_size": number(found.tick),
            "condition_id": found.condition_id,
            "question_id": found.question_id,
            "question": found.question,
            "description": "",
            "market_slug": found.slug,
            "end_date_iso": moment(found.ends_at) if found.ends_at is not None else None,
            "game_start_time": None,
            "seconds_delay": found.seconds_delay,
            "fpmm": "",
            "maker_base_fee": 0,
            "taker_base_fee": 1000 if found.fees.rate_ppm else 0,
            "notifications_enabled": False,
            "neg_risk": found.neg_risk,
            "neg_risk_market_id": found.event.neg_risk_market_id,
            "neg_risk_request_id": "",
            "icon": "",
            "image": "",
            "rewards": {"rates": None, "min_size": 0, "max_spread": 0},
            "is_50_50_outcome": found.payouts == (ONE // 2, ONE // 2),
            "tokens": [self._token(found, token) for token in found.tokens],
            "tags": [found.category.title()],
            "version": found.version,
        }

    def _token(self, market: Market, token: Token) -> dict[str, Any]:
        payouts = market.payouts if market.stage is Stage.RESOLVED else None
        mid, last = self.shelf.mid(token.id), self.shelf.last.get(token.id)
        price = payouts[token.place] if payouts else mid if mid is not None else last.price if last else ONE // 2
        winner = payouts is not None and payouts[token.place] == ONE
        return {"token_id": token.id, "outcome": token.label, "price": number(price), "winner": winner}

    def compact(self, key: str) -> dict[str, Any]:
        """/clob-markets/{condition_id}."""
        found = self._market(key)
        return {
            "c": found.condition_id,
            "t": [{"t": token.id, "o": token.label} for token in found.tokens],
            "mts": number(found.tick),
            "mos": number(found.min_order),
            "nr": found.neg_risk,
            "fd": {"r": number(found.fees.rate_ppm), "e": found.fees.exponent, "to": True},
        }

    def by_token(self, key: str) -> dict[str, str]:
        if key not in self.venue.tokens:
            raise Refused("market not found", "not_found")
        market = self.venue.tokens[key][0]
        return {
            "condition_id": market.condition_id,
            "primary_token_id": market.tokens[0].id,
            "secondary_token_id": market.tokens[1].id,
        }

    def _market(self, key: str) -> Market:
        if not key.startswith("0x"):
            raise Refused("market not found", "not_found")
        try:
            return self.venue.market(key.lower())
        except ValueError as error:
            raise Refused("market not found", "not_found") from error

    def history(self, asked: Asked) -> dict[str, Any]:
        """Prices of the last hour, one a minute. The query names a token `market`."""
        token_id = asked.text("condition")
        if token_id not in self.venue.tokens:
            raise Refused("market not found", "not_found")
        market, token = self.venue.tokens[token_id]
        source, now, points = self.shelf.source(market), self.venue.now_ms(), []
        for minute in range(60, -1, -1):
            at = now - minute * 60_000
            mid = source.at(at // source.step_ms if self.shelf.moving else 0).mid()
            if mid is not None:
                points.append({"t": at // 1000, "p": number(mid if token.place == 0 else ONE - mid)})
        return {"history": points}


def _tokens(body: Body) -> list[str]:
    """The token ids of a body, each once. Raises Refused for another shape or too many."""
    if not isinstance(body, list) or not all(isinstance(one, dict) for one in body):
        raise Refused("Invalid payload")
    if len(body) > MOST:
        raise Refused("Payload exceeds the limit")
    return list(dict.fromkeys(str(one.get("token_id", "")) for one in body))
