"""Token-2022: the instructions that make a launch's token in one transaction, and its accounts read back.

Byte layouts as the programs have them; the Python packages build none of the extension instructions. The address of
the mint comes from a seed and the wallet that signs. The account is funded and allocated rather than created, because
anybody can send a lamport to an address he foresees, and `create_account` refuses an account that holds one.
"""

from __future__ import annotations

import base64
import struct
from typing import Final

from solders.instruction import Instruction as Built
from solders.pubkey import Pubkey
from solders.system_program import AllocateWithSeedParams, TransferParams, allocate_with_seed, transfer

from domain.launchpad.tokens import (
    FEE_MOST,
    METADATA,
    POINTER,
    TRANSFER_FEE,
    FeeFacts,
    MintFacts,
    TokenSpec,
    VaultFacts,
)
from domain.launchpad.transactions import Instruction, Meta
from gateways.solana.sale_addresses import ASSOCIATED, SYSTEM

TOKEN_2022: Final = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"

_MINT_WITH_TYPE: Final = 166
_ACCOUNT_SIZE: Final = 165
_EXTENSION_HEAD: Final = 4
_FEE_CONFIG_SIZE, _POINTER_SIZE = 108, 64
_VAULT_SIZE, _VAULT_WITH_FEE_SIZE = 170, 182
_LAMPORTS_PER_BYTE, _ACCOUNT_OVERHEAD = 6_960, 128
_METADATA_INITIALIZE: Final = bytes.fromhex("d2e11ea258b84d8d")
_METADATA_UPDATE_AUTHORITY: Final = bytes.fromhex("d7e4a6e45464567b")


def mint_address(base: str, seed: str, program: str = TOKEN_2022) -> str:
    """Where the token of `seed` (at most 32 bytes) stands when `base` signs its creation."""
    return str(Pubkey.create_with_seed(Pubkey.from_string(base), seed, Pubkey.from_string(program)))


def rent(size: int) -> int:
    """Lamports that an account of this size needs to stand for ever."""
    return (_ACCOUNT_OVERHEAD + size) * _LAMPORTS_PER_BYTE


def mint_size(spec: TokenSpec) -> int:
    """With its metadata, which the token program adds by itself."""
    strings = sum(4 + len(text.encode()) for text in (spec.name, spec.symbol, spec.uri))
    return _bare_size(spec) + _EXTENSION_HEAD + 64 + strings + 4


def creation_lamports(spec: TokenSpec) -> int:
    """Rents of mint and vault."""
    return rent(mint_size(spec)) + rent(_VAULT_WITH_FEE_SIZE if spec.fee_bps else _VAULT_SIZE)


def create_token(spec: TokenSpec) -> tuple[Instruction, ...]:
    """One atomic transaction: mint with metadata, the whole supply in the vault, and every authority gone."""
    steps = [
        *open_mint(spec, rent(mint_size(spec)), _bare_size(spec), TOKEN_2022),
        _token(b"\x27\x00" + bytes(32) + bytes(_key(spec.mint)), _w(spec.mint)),
    ]
    if spec.fee_bps:
        nobody, collector = b"\x00", b"\x01" + bytes(_key(spec.owner))
        config = b"\x1a\x00" + nobody + collector + struct.pack("<HQ", spec.fee_bps, FEE_MOST)
        steps.append(_token(config, _w(spec.mint)))
    steps.append(_token(b"\x14" + bytes([spec.decimals]) + bytes(_key(spec.base)) + b"\x00", _w(spec.mint)))
    return (*steps, *_metadata(spec), *supply_into_vault(spec, TOKEN_2022))


def open_mint(spec: TokenSpec, lamports: int, space: int, program: str) -> tuple[Instruction, Instruction]:
    """The mint's empty account, funded and allocated."""
    allocated = allocate_with_seed(
        AllocateWithSeedParams(
            address=_key(spec.mint), base=_key(spec.base), seed=spec.seed, space=space, owner=_key(program)
        )
    )
    return _witnessed(transfer_sol(spec.payer, spec.mint, lamports), spec.witness), _instruction(allocated)


def transfer_sol(source: str, to: str, lamports: int) -> Instruction:
    """A plain transfer."""
    return _instruction(transfer(TransferParams(from_pubkey=_key(source), to_pubkey=_key(to), lamports=lamports)))


def read_mint(data: bytes) -> MintFacts | None:
    """A mint of Token-2022; None when the account is no mint."""
    if len(data) < _MINT_WITH_TYPE or data[_MINT_WITH_TYPE - 1] != 1 or data[45] != 1:
        return None
    found = dict(extensions(data))
    pointer, told = found.get(POINTER, bytes(64)), found.get(METADATA)
    name, symbol, uri = _strings(told[64:], 3) if told is not None else (None, None, None)
    return MintFacts(
        supply=int.from_bytes(data[36:44], "little"),
        decimals=data[44],
        mint_authority=_option(data[:36]),
        freeze_authority=_option(data[46:82]),
        name=name,
        symbol=symbol,
        uri=uri,
        metadata_authority=_address(told[:32]) if told is not None else None,
        pointer_authority=_address(pointer[:32]),
        metadata_address=_address(pointer[32:64]),
        fee=_fee(found[TRANSFER_FEE]) if TRANSFER_FEE in found else None,
        extensions=tuple(found),
    )


def read_vault(data: bytes) -> VaultFacts | None:
    """A token account of either token program; None when it is none, or not initialised."""
    if len(data) < _ACCOUNT_SIZE or data[108] == 0 or (len(data) > _ACCOUNT_SIZE and data[_ACCOUNT_SIZE] != 2):
        return None
    return VaultFacts(
        mint=str(Pubkey(data[:32])),
        owner=str(Pubkey(data[32:64])),
        amount=int.from_bytes(data[64:72], "little"),
        delegate=_option(data[72:108]),
        close_authority=_option(data[129:165]),
    )


def _metadata(spec: TokenSpec) -> tuple[Instruction, ...]:
    """Written on the mint itself, then nobody's."""
    strings = b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in _words(spec))
    mint, base = spec.mint, spec.base
    return (
        _token(_METADATA_INITIALIZE + strings, _w(mint), Meta(address=base), Meta(address=mint), _s(base)),
        _token(_METADATA_UPDATE_AUTHORITY + bytes(32), _w(mint), _s(base)),
    )


def supply_into_vault(spec: TokenSpec, program: str) -> tuple[Instruction, ...]:
    """All of it into the vault: no transfer, which would cost the fee. Then no more."""
    vault = Instruction(
        program=ASSOCIATED,
        accounts=(
            Meta(address=spec.payer, signer=True, writable=True),
            _w(spec.vault),
            *(Meta(address=key) for key in (spec.owner, spec.mint, SYSTEM, program)),
        ),
        data=_text(b"\x01"),
    )
    minted = b"\x07" + struct.pack("<Q", spec.supply)
    return (
        vault,
        step(program, minted, _w(spec.mint), _w(spec.vault), _s(spec.base)),
        step(program, b"\x06\x00\x00", _w(spec.mint), _s(spec.base)),
    )


def step(program: str, data: bytes, *accounts: Meta) -> Instruction:
    """One instruction of a program."""
    return Instruction(program=program, accounts=accounts, data=_text(data))


def _bare_size(spec: TokenSpec) -> int:
    """What is allocated: every extension of fixed size, not the metadata."""
    size = _MINT_WITH_TYPE + _EXTENSION_HEAD + _POINTER_SIZE
    return size + (_EXTENSION_HEAD + _FEE_CONFIG_SIZE if spec.fee_bps else 0)


def _words(spec: TokenSpec) -> tuple[str, str, str]:
    return spec.name, spec.symbol, spec.uri


def extensions(data: bytes) -> list[tuple[int, bytes]]:
    """Of a mint or a token account: kind and bytes of each."""
    found, at = [], _MINT_WITH_TYPE
    while at + _EXTENSION_HEAD <= len(data):
        kind, size = struct.unpack_from("<HH", data, at)
        if kind == 0:
            break
        found.append((kind, data[at + _EXTENSION_HEAD : at + _EXTENSION_HEAD + size]))
        at += _EXTENSION_HEAD + size
    return found


def _fee(data: bytes) -> FeeFacts:
    (most, bps), (next_most, next_bps) = (struct.unpack_from("<QH", data, at) for at in (80, 98))
    return FeeFacts(bps, most, (most, bps) != (next_most, next_bps), _address(data[:32]), _address(data[32:64]))


def _strings(data: bytes, count: int) -> tuple[str, ...]:
    found, at = [], 0
    for _ in range(count):
        size = int.from_bytes(data[at : at + 4], "little")
        found.append(data[at + 4 : at + 4 + size].decode("utf-8", "replace"))
        at += 4 + size
    return tuple(found)


def _option(data: bytes) -> str | None:
    return str(Pubkey(data[4:36])) if data[:4] != bytes(4) else None


def _address(data: bytes) -> str | None:
    return str(Pubkey(data)) if any(data) else None


def _key(address: str) -> Pubkey:
    return Pubkey.from_string(address)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _w(address: str) -> Meta:
    return Meta(address=address, writable=True)


def _s(address: str) -> Meta:
    return Meta(address=address, signer=True)


def _token(data: bytes, *accounts: Meta) -> Instruction:
    return step(TOKEN_2022, data, *accounts)


def _witnessed(step: Instruction, witness: str) -> Instruction:
    """The same with one more signer. The system program looks at the first two accounts of a transfer alone."""
    return step.model_copy(update={"accounts": (*step.accounts, Meta(address=witness, signer=True))})


def _instruction(built: Built) -> Instruction:
    """Of what solders built."""
    accounts = tuple(Meta(address=str(m.pubkey), signer=m.is_signer, writable=m.is_writable) for m in built.accounts)
    return Instruction(program=str(built.program_id), accounts=accounts, data=_text(bytes(built.data)))
