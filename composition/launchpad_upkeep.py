"""What runs by the clock: books against Solana, the tax cycle, aftercare. The API computes the comparison as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from activities.launchpad.aftercare import AftercareActivities
from activities.launchpad.reconcile import ReconcileActivities
from activities.launchpad.tax import TaxActivities
from domain.launchpad.sale import ReferralState
from gateways.protocols import SolanaNodes
from gateways.solana.sale_program import POSITION_TAG, SaleProgram
from gateways.solana.sale_view import SaleViews
from settings import Settings, WorkerSettings
from storage.books import Books
from storage.launchpad.aftercare import AftercareStore
from storage.launchpad.reconcile import ReconcileStore
from storage.launchpad.tax import TaxStore

if TYPE_CHECKING:
    from api.deps import LaunchpadCheck, ReferralAccount
    from composition.parts import Parts


def upkeep(settings: WorkerSettings, opened: Parts, nodes: SolanaNodes) -> list[Callable[..., Any]]:
    """Nothing while the program is not named."""
    if not settings.launchpad_program_id:
        return []
    program, platform = _program(settings), settings.solana_platform_address
    views = SaleViews(nodes, program)
    taxes = TaxStore(opened.books, program.program, platform)
    tax = TaxActivities(nodes, program, views, taxes, platform=platform, position_tag=POSITION_TAG)
    cares = AftercareStore(opened.books, program.program, platform)
    care = AftercareActivities(nodes, program, views, cares, platform=platform, position_tag=POSITION_TAG)
    return [
        _reconcile(opened.books, nodes, program).reconcile_launchpad,
        tax.plan_tax_cycle,
        tax.record_tax_cycle,
        *(care.plan_aftercare, care.forget_unsigned, care.record_aftercare),
    ]


def make_comparison(settings: Settings, books: Books, nodes: SolanaNodes) -> LaunchpadCheck | None:
    """The comparison alone, which only reads; None while the program is not named."""
    if not settings.launchpad_program_id:
        return None
    return _reconcile(books, nodes, _program(settings)).compared


def make_referral_account(settings: Settings, nodes: SolanaNodes) -> ReferralAccount | None:
    """A wallet's referral account, as far as it is confirmed; None while the program is not named."""
    if not settings.launchpad_program_id:
        return None
    program = _program(settings)

    async def read(wallet: str) -> ReferralState | None:
        account = await nodes.account(program.addresses.referral(wallet))
        ours = account is not None and account.owner == program.program
        return program.read_referral(account.data) if account is not None and ours else None

    return read


def _program(settings: Settings) -> SaleProgram:
    return SaleProgram(settings.launchpad_program_id, settings.launchpad_pool_program_id)


def _reconcile(books: Books, nodes: SolanaNodes, program: SaleProgram) -> ReconcileActivities:
    return ReconcileActivities(SaleViews(nodes, program), ReconcileStore(books, program.program))
