"""Who may do what: roles, the scopes a key can carry, and what each role may have at most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from domain.shared.errors import Rejected

Role = Literal["admin", "operator", "trader", "creator"]
Scope = Literal[
    "accounts:write",
    "approvals:write",
    "copytrade:read",
    "copytrade:write",
    "exchange:read",
    "exchange:trade",
    "exchange:withdraw",
    "launchpad:read",
    "launchpad:write",
    "system:read",
    "system:write",
    "webhooks:write",
]
EVERY: Final[frozenset[str]] = frozenset(Scope.__args__)  # type: ignore[attr-defined]
BY_ROLE: Final[dict[str, frozenset[str]]] = {
    "admin": EVERY,
    "operator": EVERY,
    "trader": frozenset(
        {
            "accounts:write",
            "copytrade:read",
            "exchange:read",
            "exchange:trade",
            "exchange:withdraw",
            "launchpad:read",
            "launchpad:write",
            "webhooks:write",
        }
    ),
    "creator": frozenset({"accounts:write", "exchange:read", "launchpad:read", "launchpad:write", "webhooks:write"}),
}
"""The default of a new key, and the most it can have. `accounts:write` of a trader reaches its own keys only."""
STAFF: Final = ("admin", "operator")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: an account, through one of its keys or a session. `csrf_token` is set for sessions."""

    account_id: str
    name: str
    role: str
    scopes: frozenset[str]
    key_id: str | None = None
    csrf_token: str | None = None

    @property
    def staff(self) -> bool:
        """Admins and operators act for every account."""
        return self.role in STAFF

    def sees(self, account_id: str | None) -> bool:
        return self.staff or (account_id is not None and account_id == self.account_id)

    def must_see(self, account_id: str | None) -> None:
        """Raise not_found for what belongs to somebody else: its existence is not told."""
        if not self.sees(account_id):
            raise Rejected("not_found", "no such thing, or not yours to see")


def grantable(creator: Principal, role: str, wanted: frozenset[str] | None) -> frozenset[str]:
    """Scopes a new key of an account with `role` gets.

    Args:    wanted  None asks for the role's default.
    Raises:  Rejected forbidden when more is asked than the creator or the role has.
    """
    most = BY_ROLE[role] & creator.scopes
    if wanted is None:
        return most
    if not wanted <= most:
        raise Rejected("forbidden", f"a key cannot get {', '.join(sorted(wanted - most))} here")
    return wanted
