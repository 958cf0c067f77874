"""What the platform adds to every launch, from the settings. The platform stands in where a wallet is not named."""

from __future__ import annotations

from domain.launchpad.launching import LaunchPolicy
from settings.launchpad import LaunchpadSettings


def launch_policy(settings: LaunchpadSettings) -> LaunchPolicy | None:
    """None: this installation has no launchpad."""
    named = (settings.solana_rpc_url, settings.solana_platform_address, settings.launchpad_program_id)
    if not all(named) or not settings.launchpad_pool_program_id:
        return None
    platform = settings.solana_platform_address
    return LaunchPolicy(
        cluster=settings.solana_cluster,
        platform=platform,
        program=settings.launchpad_program_id,
        pool_program=settings.launchpad_pool_program_id,
        marketing=settings.launchpad_marketing_wallet or platform,
        treasury=settings.launchpad_treasury_wallet or platform,
        rewards=settings.launchpad_rewards_wallet or platform,
        tax_bps=settings.launchpad_tax_bps,
        referral_bps=settings.launchpad_referral_bps,
        listing_lamports=settings.launchpad_listing_lamports,
        banner_s=settings.launchpad_banner_s,
        top_s=settings.launchpad_top_s,
        budget_lamports=settings.launchpad_budget_lamports,
        classic_tokens=settings.launchpad_token_standard == "spl",
        creation_fee_lamports=settings.launchpad_creation_fee_lamports,
        soft_cap_least_lamports=settings.launchpad_soft_cap_least_lamports,
        open_launches=settings.launchpad_open_launches,
    )
