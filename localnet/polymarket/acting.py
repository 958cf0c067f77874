"""Verbs that make a wallet do something, from plain JSON: amounts are decimal strings, what is left out is of now.

Each becomes a fact (``facts.py``). With a chain attached it is mined on the local Polygon first, and its rows carry the
real transaction, block and block time; without one the hash is drawn from the seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from localnet.polymarket import deeds, onchain, rows
from localnet.polymarket.books import Last
from localnet.polymarket.facts import Action, apply
from localnet.polymarket.journal import Journal
from localnet.polymarket.markets import Market, Token
from localnet.polymarket.numbers import ONE, micros, text
from localnet.polymarket.shelf import Shelf
from localnet.polymarket.sockets import MarketChannel
from localnet.polymarket.venue import Venue
from localnet.polymarket.wallets import Wallet

Asked = dict[str, Any]
Calls = Callable[[], Sequence[Any]]


class Mined(Protocol):
    """What the chain says of a transaction."""

    @property
    def tx_hash(self) -> str: ...
    @property
    def block(self) -> int: ...
    @property
    def timestamp(self) -> int: ...


class Chain(Protocol):
    """`localnet.polymarket.chain.PolygonExchange`."""

    async def send(self, *calls: Any) -> Mined: ...


class Acting:
    """See the module. Every verb answers {"tx_hash", "timestamp", "rows": [rows as /v2/activity has them]}."""

    def __init__(self, venue: Venue, shelf: Shelf, channel: MarketChannel) -> None:
        self.venue, self.shelf, self.channel = venue, shelf, channel
        self.chain: Chain | None = None
        self.journal: Journal | None = None

    def establish(self, verb: str, facts: Asked) -> list[Any]:
        """Makes it a fact of the venue, kept if there is a journal."""
        action = Action(verb, facts)
        made = apply(self.venue, action)
        if self.journal is not None:
            self.journal.append(action)
        return made

    async def _deed(self, verb: str, asked: Asked, facts: Asked, calls: Calls | None) -> Asked:
        """Mined, if there is a chain and the deed is one of now; then a fact.

        `at` or `ago_s` put it elsewhere in time, `tx_hash` into a transaction that is there, `late_s` shows its rows
        later in the API.
        """
        at, tx_hash, block = asked.get("at"), str(asked.get("tx_hash", "")), None
        if "ago_s" in asked:
            at = self.venue.now_ms() // 1000 - int(asked["ago_s"])
        now = at is None and not tx_hash and asked.get("on_chain", True)
        if self.chain is not None and calls is not None and now:
            mined = await self.chain.send(*calls())
            at, tx_hash, block = mined.timestamp, mined.tx_hash, mined.block
        when = self.venue.when(None if at is None else int(at), tx_hash, block)
        if asked.get("late_s"):
            self.venue.late[:0] = [int(float(asked["late_s"]) * 1000)] * int(facts.get("copies", 1))
        facts = {**facts, "at": when.timestamp, "tx_hash": when.tx_hash, "block": when.block}
        made = self.establish(verb, facts)
        found = [rows.activity(self.venue, row) for row in made]
        return {"tx_hash": when.tx_hash, "timestamp": when.timestamp, "rows": found}

    async def trade(self, asked: Asked) -> Asked:
        """{"wallet", "token", "side", "shares"[, "price", "usdc", "role", "copies", "labelled", "take"]}.

        Without a price the order walks the book and takes from it; with one it is a fact that leaves the book alone,
        unless `take`. `copies` equal fills stand in one transaction.
        """
        wallet, (market, token) = self._of(asked), self.venue.token(str(asked["token"]))
        side, shares = str(asked["side"]).upper(), micros(asked["shares"])
        role, copies = str(asked.get("role", "taker")), int(asked.get("copies", 1))
        price = micros(asked["price"]) if asked.get("price") else None
        usdc, fee = micros(asked["usdc"]) if asked.get("usdc") else None, None
        if side == "SELL" and wallet.shares(token.id) < shares * copies:
            raise ValueError(f"{wallet.name} holds {text(wallet.shares(token.id))} of it")
        if price is None or asked.get("take"):
            shares, price, usdc, fee = self._walk(market, token, side, shares, price)
        if not 1 <= copies <= 100:
            raise ValueError("1 to 100 copies")
        deeds.check_fill(market, side, role, shares, price, usdc)
        facts: Asked = {
            "wallet": wallet.key, "token": token.id, "side": side, "shares": text(shares), "price": text(price),
            "role": role, "copies": copies, "labelled": bool(asked.get("labelled", True)),
        }  # fmt: skip
        if usdc is not None:
            facts["usdc"] = text(usdc)
        notional = shares * price // ONE if usdc is None else usdc
        if fee is None:
            fee = deeds.taker_fee(market, shares, price) if role == "taker" else 0
        facts["fee"] = text(fee)
        order = (wallet.address, side, token.id, shares, notional, fee)
        done = await self._deed("trade", asked, facts, lambda: onchain.matched(market, order, role, copies))
        taker_side = side if role == "taker" else "SELL" if side == "BUY" else "BUY"
        self.shelf.last[token.id] = last = Last(price, taker_side, shares)
        await self.channel.traded(market, token, last, str(done["tx_hash"]))
        return done

    def _walk(
        self, market: Market, token: Token, side: str, shares: int, limit: int | None
    ) -> tuple[int, int, int | None, int]:
        """Shares, price, cash where several levels made the price a ratio, and the fee, level by level."""
        taken = self.shelf.take(market, token, side, shares, limit)
        if not taken:
            raise ValueError(f"{market.slug}: nothing to take")
        filled = sum(one.shares for one in taken)
        fee = sum(deeds.taker_fee(market, one.shares, one.price) for one in taken)
        if len(taken) == 1:
            return filled, taken[0].price, None, fee
        usdc = sum(one.shares * one.price // ONE for one in taken)
        return filled, usdc * ONE // filled, usdc, fee

    async def slices(self, asked: Asked) -> Asked:
        """One order of a leader as many fills: {…, "parts": [{"shares", "price", "after_s"}]}, each a transaction."""
        base = int(asked.get("at", self.venue.now_ms() // 1000))
        found: Asked = {"rows": []}
        for part in asked["parts"]:
            one = {**asked, **part}
            if "after_s" in part:
                one["at"] = base + int(part["after_s"])
            answer = await self.trade(one)
            found = {**answer, "rows": [*found["rows"], *answer["rows"]]}
        return found

    async def split(self, asked: Asked) -> Asked:
        """{"wallet", "market", "pairs"}."""
        wallet, market, pairs = self._of(asked), self.venue.market(str(asked["market"])), micros(asked["pairs"])
        if pairs <= 0:
            raise ValueError("pairs above zero")
        facts = {"wallet": wallet.key, "market": market.condition_id, "pairs": text(pairs)}
        return await self._deed("split", asked, facts, lambda: onchain.pairs("split", wallet, market, pairs))

    async def merge(self, asked: Asked) -> Asked:
        """{"wallet", "market", "pairs"}; zero pairs leave a zero-size row."""
        wallet, market, pairs = self._of(asked), self.venue.market(str(asked["market"])), micros(asked["pairs"])
        if pairs < 0 or any(wallet.shares(token.id) < pairs for token in market.tokens):
            raise ValueError("a merge takes as many of both outcomes")
        facts = {"wallet": wallet.key, "market": market.condition_id, "pairs": text(pairs)}
        return await self._deed("merge", asked, facts, lambda: onchain.pairs("merge", wallet, market, pairs))

    async def redeem(self, asked: Asked) -> Asked:
        """{"wallet", "market"[, "with_token"]}: everything it holds of a resolved market."""
        wallet, market = self._of(asked), self.venue.market(str(asked["market"]))
        if market.payouts is None or not any(wallet.shares(token.id) for token in market.tokens):
            raise ValueError(f"{market.slug} is not resolved, or {wallet.name} holds nothing of it")
        with_token = bool(asked.get("with_token", False))
        facts = {"wallet": wallet.key, "market": market.condition_id, "with_token": with_token}
        return await self._deed("redeem", asked, facts, lambda: onchain.redeemed(wallet, market))

    async def convert(self, asked: Asked) -> Asked:
        """{"wallet", "markets": [...], "amount"[, "fee_bps"]}: NO of each becomes YES of the event's others."""
        wallet, amount = self._of(asked), micros(asked["amount"])
        markets, fee_bps = [self.venue.market(str(one)) for one in asked["markets"]], int(asked.get("fee_bps", 0))
        deeds.check_conversion(wallet, markets, amount)
        facts = {
            "wallet": wallet.key, "markets": [one.condition_id for one in markets], "amount": text(amount),
            "fee_bps": fee_bps,
        }  # fmt: skip
        return await self._deed("convert", asked, facts, lambda: onchain.converted(wallet, markets, amount, fee_bps))

    async def credit(self, asked: Asked) -> Asked:
        """{"wallet", "kind", "amount"[, "side"]}: rebates, rewards, deposits, tips. Never on the chain."""
        if asked["kind"] not in deeds.CREDITS or micros(asked["amount"]) <= 0:
            raise ValueError(f"kinds are {', '.join(deeds.CREDITS)}, amounts above zero")
        facts = {
            "wallet": self._of(asked).key, "kind": str(asked["kind"]), "amount": text(micros(asked["amount"])),
            "side": str(asked.get("side", "")),
        }  # fmt: skip
        return await self._deed("credit", asked, facts, None)

    async def combo(self, asked: Asked) -> Asked:
        """{"wallet", "shares", "price"}: a trade of a combined position. Never on the chain."""
        shares, price = text(micros(asked["shares"])), text(micros(asked["price"]))
        if micros(shares) <= 0:
            raise ValueError("shares above zero")
        facts = {"wallet": self._of(asked).key, "shares": shares, "price": price}
        return await self._deed("combo", asked, facts, None)

    def _of(self, asked: Asked) -> Wallet:
        return self.venue.wallet(str(asked["wallet"]))
