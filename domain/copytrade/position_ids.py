"""Position ids of Protocol V2: a number whose bits say module, condition and outcome (polymarket.md 2.3)."""

from __future__ import annotations

from typing import Final, NamedTuple

BINARY: Final = 1
NEG_RISK: Final = 2
COMBO: Final = 3
_MODULES: Final = (BINARY, NEG_RISK, COMBO)


class PositionId(NamedTuple):
    """moduleId(8) | baseHash(128) | arity(16) | reserved(64) | resolutionChain(16) | conditionIndex(16) | outcome(8)"""

    module: int
    base_hash: int
    arity: int
    resolution_chain: int
    condition_index: int
    outcome: int
    """0 is YES, 1 is NO."""

    @property
    def condition_id(self) -> str:
        """31 bytes, as 62 hexadecimal digits: module to condition index."""
        high = (self.module << 240) | (self.base_hash << 112) | (self.arity << 96)
        return f"0x{high | (self.resolution_chain << 16) | self.condition_index:062x}"

    @property
    def token_id(self) -> str:
        return str((int(self.condition_id, 16) << 8) | self.outcome)


def read(token_id: str) -> PositionId | None:
    """The parts, or None for an id that is not of Protocol V2: a CTF id is a hash and has its reserved bits set."""
    value = int(token_id)
    module = value >> 248
    if module not in _MODULES or (value >> 40) & (2**64 - 1):
        return None
    return PositionId(
        module=module,
        base_hash=(value >> 120) & (2**128 - 1),
        arity=(value >> 104) & 0xFFFF,
        resolution_chain=(value >> 24) & 0xFFFF,
        condition_index=(value >> 8) & 0xFFFF,
        outcome=value & 0xFF,
    )
