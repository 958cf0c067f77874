"""What a launch puts on the chain, as plans, and what stands there, read back. Talks to no node."""

from __future__ import annotations

from collections.abc import Sequence

from domain.launchpad.launching import FEES_MOST, Launch, LaunchPolicy, Wanted, recipients_of, terms_of, token_of
from domain.launchpad.sale import SaleKeys, SaleState
from domain.launchpad.solana import Account
from domain.launchpad.steps import CURVE, MINT, Step, plan_key
from domain.launchpad.tokens import MintFacts, TokenSpec, VaultFacts
from domain.launchpad.transactions import Instruction, Plan
from gateways.solana import classic_token, token_2022
from gateways.solana.sale_addresses import SPL_TOKEN, associated
from gateways.solana.sale_idl import interface
from gateways.solana.sale_program import NotOurs, SaleProgram


class LaunchWire:
    """Of one deployment of the launch program, with the platform's terms."""

    def __init__(self, policy: LaunchPolicy) -> None:
        self.policy = policy
        self.program = SaleProgram(policy.program, policy.pool_program)

    def keys(self, launch: Launch) -> SaleKeys:
        """Every address of the launch; they follow from its seed and who signs."""
        creator = launch.authority(self.policy.platform)
        program = SPL_TOKEN if self.policy.classic_tokens else token_2022.TOKEN_2022
        mint = token_2022.mint_address(creator, launch.mint_seed, program)
        sale = self.program.addresses.sale(mint, creator, self.policy.platform)
        return SaleKeys(
            address=sale,
            mint=mint,
            vault=associated(sale, mint, program),
            token_program=program,
            creator=creator,
            platform=self.policy.platform,
        )

    def token(self, launch: Launch) -> TokenSpec:
        return token_of(launch, self.keys(launch), classic=self.policy.classic_tokens)

    def wanted(self, launch: Launch) -> Wanted:
        return Wanted(
            keys=self.keys(launch),
            terms=terms_of(launch.request, self.policy),
            recipients=recipients_of(launch, self.policy),
            pool_program=self.policy.pool_program,
            amm_config=self.program.addresses.amm_config(),
        )

    def plan(self, launch: Launch, step: Step) -> Plan:
        """The transaction of the step."""
        token = self.token(launch)
        if step is MINT:
            made = classic_token if token.classic else token_2022
            instructions, rents = made.create_token(token), made.creation_lamports(token)
        elif step is CURVE:
            instructions, rents = self._create_sale(launch), token_2022.rent(interface().sizes["Sale"])
        else:
            raise ValueError(f"{step.name} has no transaction")
        ours = token.payer == self.policy.platform
        return Plan(
            key=plan_key(launch.id, step),
            subject_kind="launch",
            subject_id=launch.id,
            payer=token.payer,
            instructions=instructions,
            most_lamports=rents + FEES_MOST if ours else 0,
        )

    def _create_sale(self, launch: Launch) -> tuple[Instruction, ...]:
        """With the platform's fee, where a creator pays one."""
        wanted, creator = self.wanted(launch), launch.authority(self.policy.platform)
        made = self.program.create_sale(wanted.keys, creator, wanted.recipients, wanted.terms)
        fee = self.policy.creation_fee_lamports if creator != self.policy.platform else 0
        return (token_2022.transfer_sol(creator, self.policy.treasury, fee), made) if fee else (made,)

    def accounts_of(self, token: TokenSpec) -> list[str]:
        """Mint and vault, and where the classic program's metadata stands."""
        return [token.mint, token.vault, *([classic_token.metadata_address(token.mint)] if token.classic else [])]

    def read_mint(self, token: TokenSpec, found: Sequence[Account | None]) -> MintFacts | None:
        """From `accounts_of`; None: what stands there is no mint of this token program."""
        mint = found[0]
        if mint is None or mint.owner != self._token_program(token):
            return None
        if not token.classic:
            return token_2022.read_mint(mint.data)
        metadata = found[2]
        ours = metadata is not None and metadata.owner == classic_token.METAPLEX
        return classic_token.read_mint(mint.data, metadata.data) if metadata is not None and ours else None

    def read_vault(self, token: TokenSpec, found: Sequence[Account | None]) -> VaultFacts | None:
        """From `accounts_of`; None: what stands there is no token account of this token program."""
        vault = found[1]
        ours = vault is not None and vault.owner == self._token_program(token)
        return token_2022.read_vault(vault.data) if vault is not None and ours else None

    def _token_program(self, token: TokenSpec) -> str:
        return SPL_TOKEN if token.classic else token_2022.TOKEN_2022

    def read_sale(self, address: str, owner: str, data: bytes) -> SaleState | None:
        """None: what stands there is no sale of our program."""
        try:
            return self.program.read_sale(address, data) if owner == self.policy.program else None
        except NotOurs:
            return None
