"""A launch as the books keep it, what it is to put on the chain, and how that differs from what stands there.

`authority` signs creation and is the sale's creator for ever: the creator's own wallet, or the platform's when the
platform was asked to sign. What is compared is split by the step that reports it, so that each has its own proof.
Source: LP-024 to LP-028; launchpad.md 8, 10, 12, 13.
"""

from __future__ import annotations

from typing import Final

from domain.launchpad.request import SHAPES, SOL, SOL_DECIMALS, LaunchRequest
from domain.launchpad.sale import Recipients, SaleKeys, SaleState, Terms
from domain.launchpad.steps import CURVE, LIQUIDITY, REFERRAL, TAX, Step
from domain.launchpad.tokens import TokenSpec
from domain.launchpad.transactions import Value
from domain.shared.errors import Rejected
from domain.shared.money import format_amount

CLIFF_S: Final = 180 * 86_400
VEST_S: Final = 720 * 86_400
"""The team waits six months, then it is released evenly until month 24 (CG-097)."""
FEES_MOST: Final = 2_000_000
"""Lamports that one transaction may cost in fees, beside the rents it pays."""


class LaunchPolicy(Value):
    """What the platform adds to every request: addresses, rates, prices. Money in lamports."""

    cluster: str
    platform: str
    program: str
    pool_program: str
    marketing: str
    treasury: str
    rewards: str
    tax_bps: int
    referral_bps: int
    listing_lamports: int
    banner_s: int
    top_s: int
    budget_lamports: int
    classic_tokens: bool = False
    """Tokens of the classic program with Metaplex's metadata; without transfer fee."""
    creation_fee_lamports: int = 0
    """Paid to the treasury by a creator who signs, in the transaction that creates the sale."""
    soft_cap_least_lamports: int = SOL
    open_launches: int = 20
    """Of an account, signed by the platform, the sale not over: each costs the platform rents, and then a pool."""


class Launch(Value):
    """One row of launches. `mint`, `sale_address`: known before they stand on the chain."""

    id: str
    account_id: str | None = None
    request: LaunchRequest
    cluster: str
    signing: str
    creator_wallet: str
    status: str
    step: str
    mint_seed: str
    mint: str | None = None
    sale_address: str | None = None
    metadata_cid: str | None = None
    metadata_uri: str | None = None
    cancel_requested: bool = False
    failure_code: str | None = None
    failure_detail: str = ""
    operation_id: str | None = None

    def authority(self, platform: str) -> str:
        """Who signs creation and owns the sale."""
        return self.creator_wallet if self.signing == "creator" else platform


def check_offered(request: LaunchRequest, policy: LaunchPolicy) -> None:
    """What this installation makes.

    Raises: Rejected launch_refused.
    """
    if policy.classic_tokens and request.transfer_fee_bps:
        detail = "tokens here are of the classic program, which takes no fee of transfers"
        raise Rejected("launch_refused", detail, pointer="/transfer_fee_bps")
    least = policy.soft_cap_least_lamports
    if request.soft_cap_lamports < least:
        detail = f"the soft cap is at least {format_amount(least, SOL_DECIMALS)} SOL here"
        raise Rejected("launch_refused", detail, pointer="/soft_cap_sol")


def token_of(launch: Launch, keys: SaleKeys, *, classic: bool = False) -> TokenSpec:
    """The token, once its metadata has an address."""
    request = launch.request
    return TokenSpec(
        mint=keys.mint,
        base=keys.creator,
        seed=launch.mint_seed,
        payer=keys.creator,
        witness=keys.platform,
        owner=keys.address,
        vault=keys.vault,
        name=request.name,
        symbol=request.symbol,
        uri=launch.metadata_uri or "",
        decimals=request.decimals,
        supply=request.total_supply,
        fee_bps=request.transfer_fee_bps,
        classic=classic,
    )


def terms_of(request: LaunchRequest, policy: LaunchPolicy) -> Terms:
    """What creation fixes for ever."""
    parts, curve = request.parts, request.curve
    return Terms(
        start_price=curve.start,
        target_price=curve.target,
        sale_supply=parts.public,
        liquidity_supply=parts.liquidity,
        team_supply=parts.team,
        other_supply=parts.other,
        soft_cap=request.soft_cap_lamports,
        hard_cap=request.hard_cap_lamports,
        max_wallet=request.max_wallet,
        starts_at=int(request.starts_at.timestamp()),
        ends_at=int(request.ends_at.timestamp()),
        cliff_seconds=CLIFF_S,
        vest_seconds=VEST_S,
        most=request.most,
        tax_bps=policy.tax_bps,
        referral_bps=policy.referral_bps,
        shape=int(SHAPES[request.curve_type]),
        decimals=request.decimals,
    )


def recipients_of(launch: Launch, policy: LaunchPolicy) -> Recipients:
    """Who is paid out of the sale. What vests, ecosystem and reserve are the creator's, whoever signs."""
    return Recipients(
        marketing=policy.marketing,
        treasury=policy.treasury,
        rewards=policy.rewards,
        other_owner=launch.creator_wallet,
    )


_TERMS: Final = {
    CURVE: ("start_price", "target_price", "sale_supply", "soft_cap", "hard_cap", "max_wallet", "starts_at", "ends_at",
            "most", "shape", "decimals"),
    TAX: ("tax_bps",),
    REFERRAL: ("referral_bps",),
    LIQUIDITY: ("liquidity_supply", "team_supply", "other_supply", "cliff_seconds", "vest_seconds"),
}  # fmt: skip
_ACCOUNTS: Final = {
    CURVE: ("mint", "vault", "creator", "platform", "token_program"),
    TAX: ("marketing", "treasury", "rewards"),
    REFERRAL: (),
    LIQUIDITY: ("other_owner", "pool_program", "amm_config"),
}
PARTS: Final = tuple(_TERMS)
"""The steps that share the sale's transaction."""


class Wanted(Value):
    """What the Sale account is to say."""

    keys: SaleKeys
    terms: Terms
    recipients: Recipients
    pool_program: str
    amm_config: str

    def account(self, name: str) -> str:
        """The address that is to stand in this field."""
        known = {"pool_program": self.pool_program, "amm_config": self.amm_config}
        found: str = known.get(name) or getattr(self.recipients, name, None) or getattr(self.keys, name)
        return found


def sale_differences(step: Step, wanted: Wanted, found: SaleState) -> list[str]:
    """What of the sale is not as it was asked for, in the part this step reports; empty: all is."""
    pairs = [(name, getattr(found.terms, name), getattr(wanted.terms, name)) for name in _TERMS[step]]
    pairs += [(name, getattr(found, name), wanted.account(name)) for name in _ACCOUNTS[step]]
    return [f"{name} is {is_}, not {asked}" for name, is_, asked in pairs if is_ != asked]


def registered(step: Step, wanted: Wanted) -> str:
    """What the step has put on the chain, as a sentence."""
    terms = wanted.terms
    return {
        CURVE: f"sale {wanted.keys.address}, {terms.most} base units along the curve",
        TAX: f"{terms.tax_bps} bps of every trade, accrued in {wanted.keys.address}",
        REFERRAL: f"{terms.referral_bps} bps of the tax for five levels, registered in {wanted.keys.address}",
        LIQUIDITY: f"70 % of the SOL and {terms.liquidity_supply} base units to a pool of {wanted.pool_program}; "
        f"30 % of the SOL and {terms.team_supply} base units vest for {wanted.recipients.other_owner}",
    }[step]
