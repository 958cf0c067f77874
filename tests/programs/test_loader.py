"""The loader's acts on the real loader: a program is written, published, made final; a buffer is given back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest
import pytest_asyncio
from solders.account import Account
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from domain.launchpad import deployment
from domain.launchpad.deployment import BufferFacts, ProgramFacts
from domain.shared.errors import Broken, Rejected
from gateways.solana.loader import FEES, LOADER, Act, LoaderProgram
from tests.loader_lab import act, says, small_elf
from tests.svm_lab import SOL, pays
from tests.world.svm import RunningSvm, running_svm

ID = "0198c0de-0000-7000-8000-000000000001"
NAME = "small"
ELF = small_elf(5)


class Lab(NamedTuple):
    svm: RunningSvm
    wallet: Keypair
    loader: LoaderProgram

    @property
    def buffer(self) -> str:
        return self.loader.buffer_address(ID)

    @property
    def program(self) -> str:
        return self.loader.program_address(NAME)

    def account(self, address: str) -> Account | None:
        return self.svm.account(Pubkey.from_string(address))

    def lamports(self, address: str) -> int:
        return self.svm.lamports(Pubkey.from_string(address))

    async def act(self, *acts: Act) -> object:
        """The wallet never loses more than the acts say."""
        before = self.lamports(self.loader.platform)
        err = await act(self.svm, self.wallet, *acts)
        assert before - self.lamports(self.loader.platform) <= sum(one.most_lamports for one in acts)
        return err

    async def written(self) -> None:
        assert await self.act(self.loader.open_buffer(ID, len(ELF))) is None
        for number in range(deployment.count(len(ELF))):
            piece = deployment.piece(ELF, number)
            assert await self.act(self.loader.write(self.buffer, number * deployment.CHUNK, piece)) is None

    def read_buffer(self) -> BufferFacts:
        found = self.account(self.buffer)
        assert found is not None
        return self.loader.read_buffer(str(found.owner), bytes(found.data))

    def read_data(self) -> ProgramFacts:
        found = self.account(self.loader.data_address(self.program))
        assert found is not None
        return self.loader.read_data(str(found.owner), bytes(found.data))


@pytest_asyncio.fixture(loop_scope="session")
async def lab() -> AsyncIterator[Lab]:
    wallet = Keypair()
    async with running_svm() as svm:
        svm.fund(wallet.pubkey(), 100 * SOL)
        yield Lab(svm, wallet, LoaderProgram(str(wallet.pubkey())))


async def test_a_written_program_is_published_runs_and_can_be_made_final(lab: Lab) -> None:
    platform = lab.loader.platform
    await lab.written()
    assert deployment.missing(ELF, lab.read_buffer().content) == ()
    assert await lab.act(lab.loader.publish(NAME, lab.buffer, len(ELF))) is None
    assert lab.lamports(lab.buffer) == 0
    program = lab.account(lab.program)
    assert program is not None
    lab.loader.read_program(lab.program, str(program.owner), bytes(program.data))
    assert program.lamports + lab.lamports(lab.loader.data_address(lab.program)) == lab.loader.lamports(len(ELF))
    assert deployment.program_difference(lab.read_data(), ELF, {platform}) is None
    assert deployment.program_difference(lab.read_data(), ELF + b"\1", {platform}) is not None
    assert await act(lab.svm, lab.wallet, says(lab.program)) is None
    assert await lab.act(lab.loader.make_final(lab.program)) is None
    assert deployment.program_difference(lab.read_data(), ELF, {None}) is None
    assert deployment.program_difference(lab.read_data(), ELF, {platform}) is not None
    assert await lab.act(lab.loader.make_final(lab.program)) == {"InstructionError": [0, "Immutable"]}


async def test_a_lamport_sent_ahead_to_its_addresses_stops_no_deployment(lab: Lab) -> None:
    for address in (lab.buffer, lab.program):
        assert await act(lab.svm, lab.wallet, pays(lab.wallet, Pubkey.from_string(address), SOL // 100)) is None
    await lab.written()
    assert await lab.act(lab.loader.publish(NAME, lab.buffer, len(ELF))) is None
    assert deployment.program_difference(lab.read_data(), ELF, {lab.loader.platform}) is None


async def test_a_closed_buffer_returns_its_rent_and_can_be_opened_again(lab: Lab) -> None:
    before = lab.lamports(lab.loader.platform)
    assert await lab.act(lab.loader.open_buffer(ID, len(ELF))) is None
    assert await lab.act(lab.loader.close(lab.buffer)) is None
    assert lab.account(lab.buffer) is None
    assert before - lab.lamports(lab.loader.platform) == 2 * 5_000
    assert await lab.act(lab.loader.open_buffer(ID, len(ELF))) is None


async def test_nobody_else_writes_publishes_or_closes_our_buffer(lab: Lab) -> None:
    await lab.written()
    stranger = Keypair()
    lab.svm.fund(stranger.pubkey(), 10 * SOL)
    theirs = LoaderProgram(str(stranger.pubkey()))
    for attempt in (
        theirs.write(lab.buffer, 0, b"\0" * 8),
        theirs.publish(NAME, lab.buffer, len(ELF)),
        theirs.close(lab.buffer),
    ):
        err = await act(lab.svm, stranger, attempt)
        assert isinstance(err, dict)
        assert err["InstructionError"][1] == "IncorrectAuthority"
    assert deployment.missing(ELF, lab.read_buffer().content) == ()
    assert theirs.buffer_address(ID) != lab.buffer


async def test_a_piece_beyond_the_buffer_is_refused(lab: Lab) -> None:
    assert await lab.act(lab.loader.open_buffer(ID, len(ELF))) is None
    assert await lab.act(lab.loader.write(lab.buffer, len(ELF) - 4, b"12345")) == {
        "InstructionError": [0, "AccountDataTooSmall"]
    }


async def test_what_is_no_buffer_is_not_read_as_one(lab: Lab) -> None:
    await lab.written()
    found = lab.account(lab.buffer)
    assert found is not None
    data = bytes(found.data)
    for owner, content in ((lab.loader.platform, data), (LOADER, data[:36]), (LOADER, b"\3" + data[1:])):
        with pytest.raises(Broken, match="deployment_stuck"):
            lab.loader.read_buffer(owner, content)
    with pytest.raises(Broken, match="deployment_stuck"):
        lab.loader.read_data(LOADER, data)
    with pytest.raises(Broken, match="deployment_stuck"):
        lab.loader.read_program(lab.program, LOADER, data)
    with pytest.raises(Broken, match="deployment_stuck"):
        lab.loader.read_program(lab.program, LOADER, b"\2\0\0\0" + bytes(32))


def test_pieces_cover_the_program_and_zeros_need_no_write() -> None:
    content = b"\x7fELF" + b"a" * 1_500 + b"\0" * 1_800
    count = deployment.count(len(content))
    assert b"".join(deployment.piece(content, n) for n in range(count)) == content
    assert deployment.missing(content, bytes(len(content))) == (0, 1)
    assert deployment.missing(content, content) == ()
    assert deployment.missing(content, b"") == tuple(range(count))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("", b"\x7fELF"),
        ("n" * 33, b"\x7fELF"),
        ("small", b"PK"),
        ("small", b"\x7fELF" + bytes(2**21)),
        ("a\n", b"\x7fELF"),
    ],
)
def test_what_the_loader_would_refuse_is_refused_before(name: str, content: bytes) -> None:
    with pytest.raises(Rejected, match="validation_failed"):
        deployment.check_program(name, content)


def test_the_buffer_must_be_ours_and_of_the_right_size() -> None:
    ours = BufferFacts("me", b"1234")
    assert deployment.buffer_difference(ours, "me", 4) is None
    assert deployment.buffer_difference(ours, "me", 5) == "it has room for 4 bytes, not 5"
    assert "nobody" in (deployment.buffer_difference(ours._replace(authority=None), "me", 4) or "")


def test_a_publication_costs_no_more_than_the_difference_of_rents() -> None:
    loader = LoaderProgram(str(Keypair().pubkey()))
    act = loader.publish(NAME, loader.buffer_address(ID), len(ELF))
    assert act.most_lamports - FEES < 2_000_000
