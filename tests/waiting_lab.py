"""Ingest in memory: trades are grouped and small ones gathered as in the books, without any."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.copytrade.config import CopyConfig
from domain.copytrade.grouping import InForce, Open, Part, base_of, grouped
from domain.copytrade.groups import GroupKind
from domain.copytrade.venue import ONE
from domain.copytrade.waiting import Place, Side, Waiting, gathered
from tests.copy_lab import config

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
USER = "u"


def after(ms: float) -> datetime:
    return NOON + timedelta(milliseconds=ms)


def rules(**keys: Any) -> CopyConfig:
    """The buffer is on; 1 % of 20 USDC is 0.20, small; 0.50 is enough."""
    return config(**{"enabled": True, **keys})


class Ingest:
    """`look` writes what one reading brought; `groups` and `member_of` are the books."""

    def __init__(self, used: CopyConfig | None = None) -> None:
        self.rules = {USER: InForce(used or rules(), used or rules())}
        self.groups: dict[str, Open] = {}
        self.member_of: dict[str, str] = {}
        self.parts: dict[str, Part] = {}

    def trade(
        self, usdc: float, kind: GroupKind = GroupKind.BUY, *, at: float = 0, token: str = "7", price: int = 500_000
    ) -> Part:
        """A fill of the leader's, milliseconds after noon; not seen yet."""
        notional = round(usdc * ONE)
        shares = notional * ONE // price
        tokens = (token,) if kind in (GroupKind.BUY, GroupKind.SELL) else ("7", "8")
        part = Part(str(len(self.parts)), USER, kind, "0xc", tokens, after(at), shares, notional, notional, 0)
        self.parts[part.event_id] = part
        return part

    def look(self, ms: float, parts: Sequence[Part]) -> list[Open]:
        """Seen so long after noon. Returns the groups that are new or changed."""
        now = after(ms)
        bases = {base_of(part, self.rules)[0] for part in parts}
        newest = {}
        for one in sorted(self.groups.values(), key=lambda group: group.number):
            base = one.group_key.removesuffix(f":{one.number}") if one.number else one.group_key
            if base in bases:
                newest[base] = one
        done = gathered(grouped(list(parts), newest, self.rules, "s", now), self.waiting(now), self.rules, "s", now)
        self.groups |= {one.group_key: one._replace(new=False) for one in done.groups}
        for event, key in done.members:
            assert self.member_of.setdefault(event, key) == key, "an event belongs to one group"
        return done.groups

    def waiting(self, now: datetime) -> dict[Place, Waiting]:
        found: dict[Place, Waiting] = {}
        for one in self.groups.values():
            if one.buffered and one.frozen_at >= now:
                place = (one.user_id, one.token_ids[0])
                assert place not in found, "one waits at a place"
                found[place] = Waiting(one, *(self.side(one, kind) for kind in (GroupKind.BUY, GroupKind.SELL)))
        return found

    def side(self, group: Open, kind: GroupKind) -> Side:
        """What the members of one side add up to."""
        found = [part for part in self.members(group) if part.kind is kind]
        return Side(sum(p.shares for p in found), sum(p.notional for p in found), sum(p.cash for p in found))

    def members(self, group: Open) -> list[Part]:
        return [self.parts[event] for event, key in self.member_of.items() if key == group.group_key]
