"""What a wallet may ask of a sale now, by the chain's state and clock; and what the program's refusals mean for it.

The program decides again when the transaction lands; this spares the wallet a signature that cannot succeed.
"""

from __future__ import annotations

from typing import Any, Final

from domain.launchpad.quotes import Market
from domain.launchpad.sale import PositionState, ReferralState, SaleState
from domain.launchpad.sale_life import Phase, phase, shown, status
from domain.shared.errors import Rejected
from domain.shared.money import format_amount

_MOVED: Final = frozenset({"too_dear", "too_cheap"})
_CLOSED: Final = frozenset(
    {
        *("not_started", "ended", "not_active", "not_latched", "latched", "not_ended"),
        *("nothing_left", "nothing_due", "wallet_limit"),
    }
)


def market_of(sale: SaleState, fee_bps: int) -> Market:
    """Where the sale stands. `fee_bps`: the token's transfer fee."""
    return Market(sale.terms.curve, sale.sold, sale.held, sale.burned, sale.terms.most, sale.terms.tax_bps, fee_bps)


def check_open(sale: SaleState, now: int, *, selling: bool) -> None:
    """Raises: Rejected sale_not_open."""
    found = phase(sale, now)
    if found is not Phase.ACTIVE:
        word = found if found is Phase.GRADUATING else shown(status(found, sale.held))
        raise Rejected("sale_not_open", f"the sale is {word}")
    if selling and not sale.latched:
        raise Rejected("sale_not_open", "there are no sales before the soft cap is reached")


def check_wallet(sale: SaleState, position: PositionState | None, tokens: int) -> None:
    """Raises: Rejected sale_not_open, beyond what one wallet may buy."""
    bought = position.bought if position is not None else 0
    if sale.terms.max_wallet and bought + tokens > sale.terms.max_wallet:
        most, has = _whole(sale, sale.terms.max_wallet), _whole(sale, bought)
        raise Rejected("sale_not_open", f"one wallet may buy {most} tokens, it has bought {has}")


def check_tokens(sale: SaleState, position: PositionState | None, has: int, tokens: int) -> None:
    """What a wallet sells lies in its token account. `has`: base units there.

    Raises: Rejected tokens_missing.
    """
    if tokens <= has:
        return
    waiting = position.tokens if position is not None else 0
    claim = f"; {_whole(sale, waiting)} wait in the sale: claim them first" if waiting else ""
    raise Rejected("tokens_missing", f"the wallet holds {_whole(sale, has)} tokens{claim}")


def _whole(sale: SaleState, units: int) -> str:
    return format_amount(units, sale.terms.decimals)


def check_claim(sale: SaleState, position: PositionState | None) -> None:
    """Raises: Rejected sale_not_open."""
    if not sale.latched:
        raise Rejected("sale_not_open", "tokens are claimed once the soft cap is reached")
    if position is None or not position.tokens:
        raise Rejected("sale_not_open", "this wallet has nothing to claim")


def check_refund(sale: SaleState, position: PositionState | None, now: int) -> None:
    """Raises: Rejected sale_not_open."""
    if phase(sale, now) is not Phase.REFUNDING:
        raise Rejected("sale_not_open", "money goes back when a sale ends below its soft cap")
    if position is None:
        raise Rejected("sale_not_open", "this wallet has nothing to get back, or has it already")


def needs_registration(
    wallet: str, referrer: str | None, own: ReferralState | None, referrers: ReferralState | None
) -> bool:
    """Whether the purchase registers its wallet first. Who is registered keeps his uplines for ever; the own wallet as
    referrer registers without one, so that others can name it.

    Raises: Rejected conflict when the referrer is not registered.
    """
    if referrer is None or own is not None:
        return False
    if referrer != wallet and referrers is None:
        raise Rejected("conflict", "the referrer is not registered")
    return True


def refusal(act: str, code: str | None, err: Any) -> Rejected:
    """What a simulation that failed means. `code`: the error's name in the IDL, where it is the program's."""
    if code in _MOVED:
        return Rejected("sale_slippage", f"the chain would refuse it now: {code}")
    if act == "refund" and code == "wrong_owner":  # sent by somebody since the position was read, which is closed now
        return Rejected("sale_not_open", "this wallet has its money back already")
    if code in _CLOSED:
        return Rejected("sale_not_open", f"the chain would refuse it now: {code}")
    return Rejected("transaction_failed", f"the chain would refuse it now: {code or err}")
