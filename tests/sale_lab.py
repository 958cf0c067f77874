"""Sales on a local Solana: a token, its sale, wallets that trade in it; every transaction signed here and sent."""

from __future__ import annotations

import base64
from typing import Any

from solders.keypair import Keypair

from domain.launchpad import curves
from domain.launchpad.curves import Curve, Shape
from domain.launchpad.sale import PositionState, Recipients, SaleKeys, SaleState, Terms
from domain.launchpad.sale_messages import NewSale, OpenedSale
from domain.launchpad.tokens import TokenSpec
from domain.launchpad.transactions import Instruction
from gateways.solana.sale_addresses import associated
from gateways.solana.sale_program import SaleProgram
from gateways.solana.token_2022 import TOKEN_2022, create_token, mint_address
from localnet.svm.programs import PROGRAMS
from storage.database import Pool, transaction
from storage.events import new_id
from storage.launchpad.sales import open_sale
from tests.loader_lab import built
from tests.svm_lab import SOL, blockhash, send, signed, status, value

LAUNCH, POOL = PROGRAMS["launchpad"].address, PROGRAMS["pool"].address
MILLION = 10**6 * 10**6
PLAIN: dict[str, Any] = {
    "start_price": 100 * SOL,
    "target_price": 300 * SOL,
    "sale_supply": 400 * MILLION,
    "liquidity_supply": 250 * MILLION,
    "team_supply": 150 * MILLION,
    "other_supply": 200 * MILLION,
    "soft_cap": 10 * SOL,
    "hard_cap": 50 * SOL,
    "max_wallet": 0,
    "cliff_seconds": 15_552_000,
    "vest_seconds": 62_208_000,
    "tax_bps": 200,
    "referral_bps": 2_500,
    "shape": int(Shape.LINEAR),
    "decimals": 6,
}


class Refused(AssertionError):
    """A transaction landed and failed: `.args[0]` is its error."""


async def book_sale(pool: Pool, keys: SaleKeys, terms: Terms, fee_bps: int = 0) -> OpenedSale:
    """A sale of the chain as a launch leaves it in the books; its process is not started."""
    project, account = new_id(), new_id()
    async with transaction(pool) as connection:
        await connection.execute(
            "INSERT INTO platform.accounts (id, name, role) VALUES (%s, %s, 'creator')", [account, account]
        )
        await connection.execute(
            """INSERT INTO launchpad.launches (id, account_id, request, cluster, signing, creator_wallet,
                 budget_lamports) VALUES (%s, %s, '{}', 'localnet', 'platform', %s, 0)""",
            [project, account, keys.creator],
        )
        await connection.execute(
            """INSERT INTO launchpad.projects (id, token_address, name, symbol, logo_uri, total_supply, decimals,
                 allocation_bps, bonding_curve_type, initial_price, target_price, soft_cap_lamports, hard_cap_lamports,
                 transfer_fee_bps, creator_wallet, cluster, starts_at, ends_at)
               VALUES (%s, %s, 'Test', 'TST', '', 1, 6, '{}', 'linear', 1, 2, 1, 2, %s, %s, 'localnet', now(),
                 now() + interval '1 day')""",
            [project, keys.mint, fee_bps, keys.creator],
        )
        sale = NewSale(project_id=project, keys=keys, program_id=LAUNCH, terms=terms)
        return await open_sale(connection, sale)


class SaleDesk:
    """What people do at one node. `platform` pays for what nobody else does."""

    def __init__(self, url: str, platform: Keypair) -> None:
        self.url, self.platform = url, platform
        self.program = SaleProgram(LAUNCH, POOL)
        self._made = 0

    async def send(self, payer: Keypair, *steps: Instruction, others: tuple[Keypair, ...] = ()) -> str:
        """The signature, once the transaction has landed.

        Raises: Refused.
        """
        sent = await send(
            self.url, signed(payer, [built(step) for step in steps], await blockhash(self.url), list(others))
        )
        found = await status(self.url, sent)
        if found is None or found["err"] is not None:
            raise Refused(found and found["err"])
        return sent

    async def create(self, creator: Keypair, now: int, seconds: int = 86_400, **change: Any) -> tuple[SaleKeys, Terms]:
        """A token and its sale, which begins at once and ends after `seconds` of the chain's clock."""
        self._made += 1
        wallet, seed = str(self.platform.pubkey()), f"test-{self._made}"
        mint = mint_address(wallet, seed)
        sale = self.program.addresses.sale(mint, str(creator.pubkey()), wallet)
        fee_bps = change.pop("fee_bps", 0)
        terms = {**PLAIN, "starts_at": now, "ends_at": now + seconds, **change}
        curve = Curve(
            Shape(terms["shape"]), terms["start_price"], terms["target_price"], terms["sale_supply"], terms["decimals"]
        )
        made = Terms(**{"most": curves.sellable(curve, terms["hard_cap"]), **terms})
        supply = made.sale_supply + made.liquidity_supply + made.team_supply + made.other_supply
        keys = SaleKeys(
            address=sale,
            mint=mint,
            vault=associated(sale, mint, TOKEN_2022),
            token_program=TOKEN_2022,
            creator=str(creator.pubkey()),
            platform=wallet,
        )
        token = TokenSpec(
            mint=mint, base=wallet, seed=seed, payer=wallet, witness=wallet, owner=sale, vault=keys.vault,
            name="Test", symbol="TST", uri="ipfs://test", decimals=made.decimals, supply=supply, fee_bps=fee_bps,
        )  # fmt: skip
        await self.send(self.platform, *create_token(token))
        paid = Recipients(marketing=wallet, treasury=wallet, rewards=wallet, other_owner=keys.creator)
        step = self.program.create_sale(keys, wallet, paid, made)
        await self.send(self.platform, step, others=(creator,))
        return keys, made

    async def buy(self, keys: SaleKeys, who: Keypair, tokens: int, most: int = 2**63) -> str:
        return await self.send(who, *self.program.buy(keys, str(who.pubkey()), tokens, most))

    async def sell(self, keys: SaleKeys, who: Keypair, tokens: int) -> str:
        return await self.send(who, self.program.sell(keys, str(who.pubkey()), tokens, 0))

    async def claim(self, keys: SaleKeys, who: Keypair) -> str:
        return await self.send(who, *self.program.claim(keys, str(who.pubkey()), str(who.pubkey())))

    async def register(self, who: Keypair, referrer: Keypair | None) -> str:
        upline = str(referrer.pubkey()) if referrer else None
        return await self.send(who, self.program.register_referral(str(who.pubkey()), upline))

    async def state(self, keys: SaleKeys) -> SaleState:
        return self.program.read_sale(keys.address, await self.data(keys.address))

    async def position(self, keys: SaleKeys, who: str) -> PositionState | None:
        address = self.program.addresses.position(keys.address, who)
        data = await self.data(address)
        return self.program.read_position(address, data) if data else None

    async def data(self, address: str) -> bytes:
        found = await value(self.url, "getAccountInfo", address, {"commitment": "processed", "encoding": "base64"})
        return base64.b64decode(found["data"][0]) if found else b""

    async def tokens(self, keys: SaleKeys, who: str) -> int:
        data = await self.data(associated(who, keys.mint, keys.token_program))
        return int.from_bytes(data[64:72], "little")

    async def now(self) -> int:
        """The chain's clock."""
        data = await self.data("SysvarC1ock11111111111111111111111111111111")
        return int.from_bytes(data[32:40], "little", signed=True)
