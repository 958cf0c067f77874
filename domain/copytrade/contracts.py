"""The venue's contracts on Polygon: which address speaks how, and for which blocks. Versioned configuration.

The venue moved its exchange twice in 2026, so nothing but this table names an address or a topic. Another table comes
by setting (POLYGON_CONTRACTS, the same JSON as `to_json` gives); polymarket.md 2.1 and 2.2 are where today's is from.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field


class Speaks(StrEnum):
    """What a contract says."""

    EXCHANGE_V1 = "exchange_v1"
    """OrderFilled with asset ids instead of a side. History only."""
    EXCHANGE = "exchange"
    """OrderFilled of CTF Exchange V2, its neg-risk sisters and ExchangeV3."""
    TOKENS = "tokens"
    """ConditionalTokens and the pUSD adapters before it: positions split, merged, redeemed, moved."""
    NEG_RISK = "neg_risk"
    """NegRiskAdapter: the same in shorter events, and conversions."""
    MODULE = "module"
    """Modules of Protocol V2: split, merge, redeem by recipient."""
    POSITIONS = "positions"
    """PositionManager: ERC-1155 of Protocol V2."""
    CASH = "cash"
    """An ERC-20 that pays: pUSD, USDC.e, the neg-risk wrapper's underlying."""
    HOUSE = "house"
    """Other addresses of the venue itself: nobody's wallet."""


Address = Annotated[str, Field(pattern=r"^0x[0-9a-f]{40}$")]
Topic = Annotated[str, Field(pattern=r"^0x[0-9a-f]{64}$")]


class Topics(BaseModel):
    """topic0 of every event that is read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    order_filled: Topic = "0xd543adfd945773f1a62f74f0ee55a5e3b9b1a28262980ba90b1a89f2ea84d8ee"
    order_filled_v1: Topic = "0xd0a08e8c493f9c94f29311604c9de1b4e8c8d4c06bd0c789af57f2d65bfec0f6"
    position_split: Topic = "0x2e6bb91f8cbcda0c93623c54d0403a43514fabc40084ec96b6d5379a74786298"
    positions_merge: Topic = "0x6f13ca62553fcc2bcd2372180a43949c1e4cebba603901ede2f4e14f36b282ca"
    payout_redemption: Topic = "0x2682012a4a4f1973119f1c9b90745d1bd91fa2bab387344f044cb3586864d18d"
    neg_risk_split: Topic = "0xbbed930dbfb7907ae2d60ddf78345610214f26419a0128df39b6cc3d9e5df9b0"
    neg_risk_merge: Topic = "0xba33ac50d8894676597e6e35dc09cff59854708b642cd069d21eb9c7ca072a04"
    positions_converted: Topic = "0xb03d19dddbc72a87e735ff0ea3b57bef133ebe44e1894284916a84044deb367e"
    neg_risk_redemption: Topic = "0x9140a6a270ef945260c03894b3c6b3b2695e9d5101feef0ff24fec960cfd3224"
    condition_resolution: Topic = "0xb44d84d3289691f71497564b85d4233648d9dbae8cbdbb4329f301c3a0185894"
    transfer_single: Topic = "0xc3d58168c5ae7397731d063d5bbf3d657854427343f4c083240f7aacaa2d0f62"
    transfer_batch: Topic = "0x4a39dc06d4c0dbc64b70af90fd698a233a518aa5d07e595d983b8c0526c8f7fb"
    module_split: Topic = "0xb6a6b8b17a43b07b9359dd12d304e42077eede9e672f8646144842c8604582a4"
    module_merge: Topic = "0xf233f7be4ce81130a78e8eb2fa626497586c56094d27bfec2e196471e9c60301"
    module_redeem: Topic = "0x4fd474b703f46b453536518b4cbc159dfbea6fd663233763d321a9bc8ccdf97f"
    module_resolved: Topic = "0xe560c1a2847d4cf2e66de11fe592605556989449f38cc3ab96e2e287daa68caa"
    cash_transfer: Topic = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"


class Contract(BaseModel):
    """One address. `until_block` is the last block in which it is believed; None: still."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    address: Address
    speaks: Speaks
    version: str = ""
    from_block: int = Field(0, ge=0)
    until_block: int | None = Field(None, ge=0)

    def valid_at(self, block: int) -> bool:
        return self.from_block <= block and (self.until_block is None or block <= self.until_block)


class Contracts(BaseModel):
    """The table. `version` names it in rows and logs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    contracts: tuple[Contract, ...]
    topics: Topics = Topics()

    @cached_property
    def _by_address(self) -> dict[str, tuple[Contract, ...]]:
        found: dict[str, tuple[Contract, ...]] = {}
        for contract in self.contracts:
            found[contract.address] = (*found.get(contract.address, ()), contract)
        return found

    def at(self, address: str, block: int) -> Contract | None:
        """Who spoke at this address in this block."""
        return next((c for c in self._by_address.get(address, ()) if c.valid_at(block)), None)

    def that_speak(self, *ways: Speaks) -> list[str]:
        """Addresses still in use, in the order of the table."""
        return [c.address for c in self.contracts if c.speaks in ways and c.until_block is None]

    def that_spoke(self, first: int, last: int, *ways: Speaks) -> list[str]:
        """Addresses in use in any of these blocks."""
        ends = [(c, last if c.until_block is None else c.until_block) for c in self.contracts if c.speaks in ways]
        return [c.address for c, end in ends if c.from_block <= last and first <= end]

    def is_house(self, address: str) -> bool:
        """Is this one of the venue's own addresses? Nobody follows those, and what they hold is nobody's trade."""
        return address in self._by_address


def parse(text: str) -> Contracts:
    """Read a table from JSON.

    Raises: pydantic.ValidationError.
    """
    return Contracts.model_validate_json(text)


def to_json(contracts: Contracts) -> str:
    return json.dumps(contracts.model_dump(mode="json", exclude_defaults=True), separators=(",", ":"))


def everywhere(contracts: Contracts) -> Contracts:
    """The same addresses, believed in every block: for a chain whose numbers are not Polygon's."""
    items = (c.model_copy(update={"from_block": 0, "until_block": None}) for c in contracts.contracts)
    return Contracts(version=f"{contracts.version}-everywhere", contracts=tuple(items), topics=contracts.topics)


V2_FROM_BLOCK: Final = 84_902_320
"""2026-04-28 11:00 UTC: CTF Exchange V2 and pUSD."""
V1_UNTIL_BLOCK: Final = 84_902_353
"""The last fills of V1, half a minute later."""


def _of(
    speaks: Speaks, version: str, named: Iterable[tuple[str, str]], since: int = 0, until: int | None = None
) -> list[Contract]:
    return [
        Contract(
            name=name, address=address.lower(), speaks=speaks, version=version, from_block=since, until_block=until
        )
        for name, address in named
    ]


DEFAULT: Final = Contracts(
    version="2026-11",
    contracts=(
        *_of(
            Speaks.EXCHANGE_V1,
            "v1",
            [
                ("CTF Exchange V1", "0x4bFb41d5B3570DeFd03C39a9A4D8dE6Bd8B8982E"),
                ("NegRisk Exchange V1", "0xC5d563A36AE78145C45a50134d48A1215220f80a"),
            ],
            until=V1_UNTIL_BLOCK,
        ),
        *_of(
            Speaks.EXCHANGE,
            "v2",
            [
                ("CTF Exchange V2", "0xE111180000d2663C0091e4f400237545B87B996B"),
                ("NegRisk Exchange V2", "0xe2222d279d744050d28e00520010520000310F59"),
                ("NegRisk Exchange V2, third", "0xe2222d002000ba0053cef3375333610f64600036"),
            ],
            since=V2_FROM_BLOCK,
        ),
        *_of(
            Speaks.EXCHANGE,
            "v3",
            [("ExchangeV3", "0xe3333700cA9d93003F00f0F71f8515005F6c00Aa")],
            since=V2_FROM_BLOCK,
        ),
        *_of(
            Speaks.TOKENS,
            "v1",
            [
                ("ConditionalTokens", "0x4D97DCd97eC945f40cF65F87097ACe5EA0476045"),
                ("CtfCollateralAdapter", "0xAdA100Db00Ca00073811820692005400218FcE1f"),
                ("CtfCollateralAdapter, first", "0xada100874d00e3331d00f2007a9c336a65009718"),
                ("NegRiskCtfCollateralAdapter", "0xadA2005600Dec949baf300f4C6120000bDB6eAab"),
                ("NegRiskCtfCollateralAdapter, first", "0xada200001000ef00d07553cee7006808f895c6f1"),
            ],
        ),
        *_of(Speaks.NEG_RISK, "v1", [("NegRiskAdapter", "0xd91E80cF2E7be2e162c6513ceD06f1dD0dA35296")]),
        *_of(
            Speaks.MODULE,
            "v3",
            [
                ("Binary module", "0x1000008dD9001B968442c1000017eaE6E0dA00Ba"),
                ("NegRisk module", "0x200000900045e3B6259600682756002200028933"),
                ("Combinatorial module", "0x30000034706c7d8e12009dab006be20000c031a8"),
            ],
        ),
        *_of(Speaks.POSITIONS, "v3", [("PositionManager", "0x006F54F7f9A22e0000CC2AB60031000000ae9fEF")]),
        *_of(
            Speaks.CASH,
            "",
            [
                ("pUSD", "0xC011a7E12a19f7B1f670d46F03B03f3342E82DFB"),
                ("USDC.e", "0x2791Bca1f2de4661ED88A30C99A7a9449Aa84174"),
                ("USDC", "0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359"),
            ],
        ),
        *_of(
            Speaks.HOUSE,
            "",
            [
                ("Wrapped collateral", "0x3A3BD7bb9528E159577F7C2e685CC81A765002E2"),
                ("Router", "0x12121212006e4CD160D18e3f00711DA5c3372600"),
                ("AutoRedeemer", "0xa1200000d0002264C9a1698e001292D00E1b00af"),
                ("Onramp", "0x93070a847efEf7F70739046A929D47a521F5B8ee"),
                ("Offramp", "0x2957922Eb93258b93368531d39fAcCA3B4dC5854"),
                ("Proxy factory", "0xaB45c5A4B0c941a2F231C04C3f49182e1A254052"),
                ("Safe factory", "0xaacFeEa03eb1561C4e67d661e40682Bd20E3541b"),
                ("Deposit wallet factory", "0x00000000000Fb5C9ADea0298D729A0CB3823Cc07"),
            ],
        ),
    ),
)
"""Polygon mainnet today (polymarket.md 2.1)."""
