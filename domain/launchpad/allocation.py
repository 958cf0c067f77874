"""Who gets which part of a token's supply. The parts always sum to the supply; what rounding leaves is the reserve's.

The team's part and 30 % of the raised SOL wait for the cliff and are then released evenly.
Source: CG-066, CG-097; launchpad.md 10.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from domain.shared.errors import Rejected

BPS: Final = 10_000
TEAM_BPS_MOST: Final = 2_000
TEAM_PERCENT_MOST: Final = 20


class Allocation(BaseModel):
    """Basis points of the supply. The defaults are the platform's."""

    model_config = ConfigDict(frozen=True)
    public: int = Field(4_000, ge=0, le=BPS)
    team: int = Field(2_000, ge=0, le=BPS)
    liquidity: int = Field(1_500, ge=0, le=BPS)
    ecosystem: int = Field(1_500, ge=0, le=BPS)
    reserve: int = Field(1_000, ge=0, le=BPS)


class Parts(NamedTuple):
    """Base units. `public` is what the curve sells; the program calls `ecosystem` and `reserve` together `other`."""

    public: int
    team: int
    liquidity: int
    ecosystem: int
    reserve: int

    @property
    def other(self) -> int:
        return self.ecosystem + self.reserve


def check_allocation(allocation: Allocation) -> None:
    """Raises: Rejected validation_failed, pointing at the part."""
    total = sum(allocation.model_dump().values())
    if total != BPS:
        raise Rejected(
            "validation_failed", f"the parts sum to {total}, not to {BPS} basis points", pointer="/allocation_bps"
        )
    if allocation.team > TEAM_BPS_MOST:
        raise Rejected(
            "validation_failed", f"the team gets at most {TEAM_BPS_MOST} basis points", pointer="/allocation_bps/team"
        )
    for part in ("public", "liquidity"):
        if not getattr(allocation, part):
            detail = "a sale needs tokens to sell and tokens for the pool"
            raise Rejected("validation_failed", detail, pointer=f"/allocation_bps/{part}")


def parts_of(supply: int, allocation: Allocation) -> Parts:
    """The supply in five parts, each rounded down; the reserve takes the rest.

    The team's is also below what the program allows, which divides the supply by 100 first.
    """
    public, liquidity, ecosystem = (
        supply * bps // BPS for bps in (allocation.public, allocation.liquidity, allocation.ecosystem)
    )
    team = min(supply * allocation.team // BPS, supply // 100 * TEAM_PERCENT_MOST)
    return Parts(public, team, liquidity, ecosystem, supply - public - team - liquidity - ecosystem)
