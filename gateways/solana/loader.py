"""The upgradeable loader: instructions that bring a program onto the chain, and its accounts read back.

Addresses come from seeds under the platform's wallet. Accounts are funded and allocated rather than created: anybody
can send a lamport to an address he foresees, and `create_account` refuses an account that holds one.
"""

from __future__ import annotations

import base64
import struct
from typing import Final, NamedTuple
from uuid import UUID

from solders.instruction import Instruction as Built
from solders.pubkey import Pubkey
from solders.system_program import AllocateWithSeedParams, TransferParams, allocate_with_seed, transfer

from domain.launchpad.deployment import BufferFacts, ProgramFacts
from domain.launchpad.transactions import Instruction, Meta
from domain.shared.errors import Broken
from gateways.solana.token_2022 import rent

LOADER: Final = "BPFLoaderUpgradeab1e11111111111111111111111"
SYSTEM: Final = "11111111111111111111111111111111"
_RENT: Final = "SysvarRent111111111111111111111111111111111"
_CLOCK: Final = "SysvarC1ock11111111111111111111111111111111"
_INITIALIZE_BUFFER, _WRITE, _DEPLOY, _SET_AUTHORITY, _CLOSE = 0, 1, 2, 4, 5
_BUFFER, _PROGRAM, _PROGRAM_DATA = 1, 2, 3
_BUFFER_HEAD, _PROGRAM_SIZE, _DATA_HEAD = 37, 36, 45
FEES: Final = 2_000_000
"""Most lamports of network fees in a plan: one signature and the highest price of its compute units."""


class Act(NamedTuple):
    """What is to be done, and what the platform's wallet may lose by it."""

    instructions: tuple[Instruction, ...]
    most_lamports: int


class LoaderProgram:
    """The loader as the platform's wallet uses it."""

    def __init__(self, platform: str) -> None:
        self.platform = platform

    def program_address(self, name: str) -> str:
        """Where the program of this name stands: of all clusters, as long as the wallet is the same."""
        return self._seeded(name)

    def buffer_address(self, deployment_id: str) -> str:
        return self._seeded(UUID(deployment_id).hex)

    def data_address(self, program: str) -> str:
        return str(Pubkey.find_program_address([bytes(Pubkey.from_string(program))], Pubkey.from_string(LOADER))[0])

    def lamports(self, size: int) -> int:
        """What a program of so many bytes holds as rent once it stands there."""
        return rent(_PROGRAM_SIZE) + rent(_DATA_HEAD + size)

    # --- acts

    def open_buffer(self, deployment_id: str, size: int) -> Act:
        buffer, room = self.buffer_address(deployment_id), _BUFFER_HEAD + size
        begun = Instruction(
            program=LOADER,
            accounts=(Meta(address=buffer, writable=True), Meta(address=self.platform)),
            data=_data("<I", _INITIALIZE_BUFFER),
        )
        return Act((*self._allocated(buffer, UUID(deployment_id).hex, room), begun), rent(room) + FEES)

    def write(self, buffer: str, offset: int, piece: bytes) -> Act:
        told = base64.b64encode(struct.pack("<IIQ", _WRITE, offset, len(piece)) + piece).decode()
        accounts = (Meta(address=buffer, writable=True), Meta(address=self.platform, signer=True))
        return Act((Instruction(program=LOADER, accounts=accounts, data=told),), FEES)

    def publish(self, name: str, buffer: str, size: int) -> Act:
        """The buffer's lamports return to the wallet within the same transaction."""
        program = self.program_address(name)
        accounts = (
            Meta(address=self.platform, signer=True, writable=True),
            Meta(address=self.data_address(program), writable=True),
            Meta(address=program, writable=True),
            Meta(address=buffer, writable=True),
            *(Meta(address=address) for address in (_RENT, _CLOCK, SYSTEM)),
            Meta(address=self.platform, signer=True),
        )
        done = Instruction(program=LOADER, accounts=accounts, data=_data("<IQ", _DEPLOY, size))
        cost = self.lamports(size) - rent(_BUFFER_HEAD + size)
        return Act((*self._allocated(program, name, _PROGRAM_SIZE), done), cost + FEES)

    def make_final(self, program: str) -> Act:
        """Nobody can change the program any more."""
        accounts = (
            Meta(address=self.data_address(program), writable=True),
            Meta(address=self.platform, signer=True),
        )
        return Act((Instruction(program=LOADER, accounts=accounts, data=_data("<I", _SET_AUTHORITY)),), FEES)

    def close(self, buffer: str) -> Act:
        """The buffer's lamports return to the wallet."""
        accounts = (
            Meta(address=buffer, writable=True),
            Meta(address=self.platform, writable=True),
            Meta(address=self.platform, signer=True),
        )
        return Act((Instruction(program=LOADER, accounts=accounts, data=_data("<I", _CLOSE)),), FEES)

    # --- accounts

    def read_buffer(self, owner: str, data: bytes) -> BufferFacts:
        """Raises: Broken deployment_stuck when this is no buffer."""
        if owner != LOADER or len(data) < _BUFFER_HEAD or _kind(data) != _BUFFER:
            raise Broken("deployment_stuck", f"what stands at the buffer's address is none: {owner} owns it")
        return BufferFacts(_option(data[4:_BUFFER_HEAD]), data[_BUFFER_HEAD:])

    def read_program(self, program: str, owner: str, data: bytes) -> None:
        """Raises: Broken deployment_stuck unless the account is the program of its own data."""
        wanted = bytes(Pubkey.from_string(self.data_address(program)))
        if owner != LOADER or len(data) < _PROGRAM_SIZE or _kind(data) != _PROGRAM or data[4:36] != wanted:
            raise Broken("deployment_stuck", f"what stands at {program} is no program of the loader")

    def read_data(self, owner: str, data: bytes) -> ProgramFacts:
        """Raises: Broken deployment_stuck when this is no program's data."""
        if owner != LOADER or len(data) < _DATA_HEAD or _kind(data) != _PROGRAM_DATA:
            raise Broken("deployment_stuck", f"what stands at the address of the program's data is none: {owner}")
        (slot,) = struct.unpack_from("<Q", data, 4)
        return ProgramFacts(_option(data[12:_DATA_HEAD]), slot, data[_DATA_HEAD:])

    # --- parts

    def _seeded(self, seed: str) -> str:
        base = Pubkey.from_string(self.platform)
        return str(Pubkey.create_with_seed(base, seed, Pubkey.from_string(LOADER)))

    def _allocated(self, address: str, seed: str, size: int) -> tuple[Instruction, ...]:
        """An account of the loader at its seed, with its whole rent, whatever lies there already."""
        wallet, account = Pubkey.from_string(self.platform), Pubkey.from_string(address)
        paid = transfer(TransferParams(from_pubkey=wallet, to_pubkey=account, lamports=rent(size)))
        place = AllocateWithSeedParams(
            address=account, base=wallet, seed=seed, space=size, owner=Pubkey.from_string(LOADER)
        )
        return _ours(paid), _ours(allocate_with_seed(place))


def _ours(built: Built) -> Instruction:
    metas = tuple(Meta(address=str(m.pubkey), signer=m.is_signer, writable=m.is_writable) for m in built.accounts)
    data = base64.b64encode(bytes(built.data)).decode()
    return Instruction(program=str(built.program_id), accounts=metas, data=data)


def _data(shape: str, *values: int) -> str:
    return base64.b64encode(struct.pack(shape, *values)).decode()


def _kind(data: bytes) -> int:
    return int.from_bytes(data[:4], "little")


def _option(data: bytes) -> str | None:
    return str(Pubkey.from_bytes(data[1:33])) if data[0] else None
