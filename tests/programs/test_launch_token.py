"""A launch's token on the real Token-2022: one transaction, nobody's afterwards, read back as it was asked for."""

from __future__ import annotations

import base64
import dataclasses

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from domain.launchpad import tokens
from domain.launchpad.tokens import TokenSpec
from domain.launchpad.transactions import Instruction as Planned
from gateways.solana import token_2022
from gateways.solana.sale_addresses import associated
from tests.programs.ledger import SOL, TOKEN_2022, Ledger, Refused

PACKET = 1_232
LONGEST = {"name": "n" * 32, "symbol": "s" * 10, "uri": "ipfs://" + "b" * 59}


@dataclasses.dataclass
class Made:
    ledger: Ledger
    creator: Keypair
    platform: Keypair
    spec: TokenSpec

    def send(self, *more: Instruction) -> None:
        self.ledger.send(*map(built, token_2022.create_token(self.spec)), *more, signers=[self.creator, self.platform])

    def mint(self) -> tokens.MintFacts:
        found = token_2022.read_mint(self.ledger.data(Pubkey.from_string(self.spec.mint)))
        assert found is not None
        return found

    def vault(self) -> tokens.VaultFacts:
        found = token_2022.read_vault(self.ledger.data(Pubkey.from_string(self.spec.vault)))
        assert found is not None
        return found


def built(planned: Planned) -> Instruction:
    metas = [AccountMeta(Pubkey.from_string(m.address), m.signer, m.writable) for m in planned.accounts]
    return Instruction(Pubkey.from_string(planned.program), base64.b64decode(planned.data), metas)


def planned(fee_bps: int = 0, **change: str) -> Made:
    ledger = Ledger()
    creator, platform = ledger.wallet(), ledger.wallet()
    base, seed, sale = str(creator.pubkey()), "0123456789abcdef0123456789abcdef", str(ledger.keys().pubkey())
    mint = token_2022.mint_address(base, seed)
    words = {**LONGEST, **change}
    spec = TokenSpec(
        mint=mint,
        base=base,
        seed=seed,
        payer=base,
        witness=str(platform.pubkey()),
        owner=sale,
        vault=associated(sale, mint, token_2022.TOKEN_2022),
        decimals=9,
        supply=10**18,
        fee_bps=fee_bps,
        **words,
    )
    return Made(ledger, creator, platform, spec)


@pytest.mark.parametrize("fee_bps", [0, 100, 500])
def test_the_token_is_made_whole_in_one_transaction(fee_bps: int) -> None:
    made = planned(fee_bps)
    made.send()
    assert tokens.mint_differences(made.spec, made.mint()) == []
    assert tokens.vault_differences(made.spec, made.vault()) == []
    assert made.vault().amount == made.spec.supply
    assert (made.mint().fee or None) == (tokens.FeeFacts(fee_bps, 2**64 - 1, False, None, made.spec.owner)
                                         if fee_bps else None)  # fmt: skip


def test_the_largest_fits_a_packet_beside_the_compute_budget() -> None:
    made = planned(500)
    steps = [built(step) for step in token_2022.create_token(made.spec)]
    budget = Pubkey.from_string("ComputeBudget111111111111111111111111111111")
    steps += [Instruction(budget, b"\x02" + bytes(4), []), Instruction(budget, b"\x03" + bytes(8), [])]
    message = MessageV0.try_compile(made.creator.pubkey(), steps, [], made.ledger.svm.latest_blockhash())
    assert len(bytes(VersionedTransaction(message, [made.creator, made.platform]))) <= PACKET


def test_its_rents_are_exact() -> None:
    """What the creation takes from the payer is what the preview says, beside the network's fee."""
    made = planned(100)
    before = made.ledger.lamports(made.creator.pubkey())
    made.send()
    spent = before - made.ledger.lamports(made.creator.pubkey())
    assert spent == token_2022.creation_lamports(made.spec)
    for key in (made.spec.mint, made.spec.vault):
        account = made.ledger.svm.get_account(Pubkey.from_string(key))
        assert account is not None
        assert account.lamports == token_2022.rent(len(account.data))


def test_a_lamport_sent_ahead_does_not_stop_it() -> None:
    """Anybody can foresee the address; `create_account` would refuse one that holds a lamport."""
    made = planned(100)
    stranger = made.ledger.wallet()
    for key in (made.spec.mint, made.spec.vault):
        gift = TransferParams(from_pubkey=stranger.pubkey(), to_pubkey=Pubkey.from_string(key), lamports=SOL)
        made.ledger.send(transfer(gift), signers=[stranger])
    made.send()
    assert tokens.mint_differences(made.spec, made.mint()) == []


def test_without_the_witness_nothing_lands() -> None:
    """A creator cannot send it past us: what was given up stays given up."""
    made = planned()
    first = token_2022.create_token(made.spec)[0]
    assert first.accounts[-1].address == made.spec.witness
    assert first.accounts[-1].signer


def test_again_is_refused_and_changes_nothing() -> None:
    made = planned()
    made.send()
    with pytest.raises(Refused):
        made.send()
    assert made.vault().amount == made.spec.supply


def test_nothing_of_it_can_be_changed_afterwards() -> None:
    made = planned(100)
    made.send()
    mint, vault, signs = (Pubkey.from_string(key) for key in (made.spec.mint, made.spec.vault, made.spec.base))
    accounts = [AccountMeta(mint, False, True), AccountMeta(signs, True, False)]
    more = [AccountMeta(mint, False, True), AccountMeta(vault, False, True), AccountMeta(signs, True, False)]
    update = bytes.fromhex("dde9312db5cadcc8") + b"\x00\x01\x00\x00\x00x"
    for data, metas in (
        (b"\x07" + (1).to_bytes(8, "little"), more),  # mint more
        (update, accounts),  # rename
        (b"\x1a\x05\x01\x00" + bytes(8), accounts),  # another transfer fee
        (b"\x06\x00\x01" + bytes(signs), accounts),  # take the mint authority back
        (b"\x06\x05\x01" + bytes(signs), accounts),  # collect the fees oneself
        (b"\x06\x0c\x01" + bytes(signs), accounts),  # point to other metadata
    ):
        with pytest.raises(Refused):
            made.ledger.send(Instruction(TOKEN_2022, data, metas), signers=[made.creator])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "another"}, "name is"),
        ({"uri": "ipfs://else"}, "uri is"),
        ({"fee_bps": 0}, "transfer fee is 100"),
        ({"fee_bps": 99}, "transfer fee is 100"),
        ({"supply": 1}, "supply is"),
        ({"supply": 2 * 10**18}, "supply is"),
        ({"decimals": 6}, "decimals is"),
        ({"owner": "11111111111111111111111111111111"}, "fee collector is"),
    ],
)
def test_every_difference_is_named(change: dict[str, object], said: str) -> None:
    made = planned(100)
    made.send()
    other = made.spec.model_copy(update=change)
    assert any(line.startswith(said) for line in tokens.mint_differences(other, made.mint()))


def test_a_foreign_mint_is_not_ours() -> None:
    """Authorities that stay, found where ours should stand."""
    made = planned(100)
    made.send()
    facts = made.mint()
    for change in ({"mint_authority": "x"}, {"freeze_authority": "x"}, {"metadata_authority": "x"},
                   {"extensions": (*facts.extensions, 12)}):  # fmt: skip
        assert tokens.mint_differences(made.spec, facts._replace(**change))


def test_what_is_no_token_reads_as_nothing() -> None:
    made = planned()
    made.send()
    mint, vault = (made.ledger.data(Pubkey.from_string(key)) for key in (made.spec.mint, made.spec.vault))
    for data in (b"", bytes(82), bytes(300), vault):
        assert token_2022.read_mint(data) is None
    for data in (b"", bytes(165), mint):
        assert token_2022.read_vault(data) is None
