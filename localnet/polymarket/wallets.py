"""Wallets and what they hold, to the micro: the truth a copy is measured against."""

from __future__ import annotations

from dataclasses import dataclass, field

from localnet.polymarket.numbers import ONE


@dataclass
class Holding:
    """One wallet's shares of one token. `cost` is what the shares still held were bought for, without fees."""

    shares: int = 0
    cost: int = 0
    bought: int = 0
    spent: int = 0
    fees: int = 0
    realized: int = 0
    first_at: int = 0
    last_at: int = 0

    @property
    def avg_price(self) -> int:
        """Average entry price of all shares ever bought."""
        return (self.spent * ONE + self.bought // 2) // self.bought if self.bought else 0

    def gain(self, shares: int, cost: int, fee: int, at: int) -> None:
        self.shares += shares
        self.cost += cost
        self.bought += shares
        self.spent += cost
        self.fees += fee
        self.first_at = self.first_at or at
        self.last_at = at

    def lose(self, shares: int, proceeds: int, at: int) -> None:
        """Shares leave at average cost. Raises ValueError when there are not so many."""
        if shares > self.shares:
            raise ValueError(f"only {self.shares} micros of shares are held, not {shares}")
        part = self.cost * shares // self.shares if self.shares else 0
        self.shares -= shares
        self.cost -= part
        self.realized += proceeds - part
        self.last_at = at


@dataclass
class Wallet:
    """`address` is lower case. `cash` is what all rows together moved, below zero for one who bought."""

    address: str
    name: str
    pseudonym: str = ""
    bio: str = ""
    cash: int = 0
    holdings: dict[str, Holding] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What finds it again."""
        return self.name or self.address

    def holding(self, token_id: str) -> Holding:
        return self.holdings.setdefault(token_id, Holding())

    def shares(self, token_id: str) -> int:
        found = self.holdings.get(token_id)
        return found.shares if found else 0

    def positions(self) -> dict[str, int]:
        """Micros of shares by token, without what is gone."""
        return {token: held.shares for token, held in self.holdings.items() if held.shares}
