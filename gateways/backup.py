"""The vault: a directory of encrypted archives outside the data directory, each one whole or not there.

The order inside an archive matters (CG-087). **The workflow store is copied first, the books last**, so that after a
restore the books know at least everything the processes know. A process that is behind repeats its steps, and every
step is idempotent against the books; an operation whose process is missing is started again by the dispatcher
(storage/restored.py makes it). The other way round a process could remember a credit that its books have forgotten,
and nothing would ever book it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

from domain.operations.messages import ArchiveRef, ArchiveVerified, ArchiveWritten, BooksFacts, Manifest, Pruned
from domain.shared.errors import Broken
from gateways import sqlite
from gateways.archive import DATA, PART, ArchiveWriter, Checker, Frame, damaged, key_from_base64, read_frames
from gateways.pgtools import PgTools, database_of, name_of

BOOKS: Final = "books.pgdump"
WORKFLOWS_FILE: Final = "temporal.sqlite.gz"
WORKFLOWS: Final = "temporal.pgdump"
VISIBILITY: Final = "temporal-visibility.pgdump"
SUFFIX: Final = ".backup"
STALE_S: Final = 86_400


@dataclass(frozen=True)
class VaultConfig:
    """Settings as they are; what is missing is complained about when it is needed.

    `data_dirs` are the directories whose loss a backup must survive. `temporal_db_file` or `temporal_db_dsn` is the
    workflow store; with neither (Temporal Cloud keeps its own backups) an archive holds the books alone.
    """

    directory: str
    key: str
    app_version: str
    database_url: str
    keep: int = 7
    temporal_db_file: str = ""
    temporal_db_dsn: str = ""
    data_dirs: tuple[Path, ...] = ()


class Writing:
    """An archive being written: `add_workflow_store()`, then `add_books()`, then `seal()`."""

    def __init__(self, config: VaultConfig, tools: PgTools, writer: ArchiveWriter, file: BinaryIO) -> None:
        self._config, self._tools, self._writer, self._file = config, tools, writer, file

    async def add_workflow_store(self) -> None:
        """Temporal's own database, or databases. First: see the head of this module."""
        if self._config.temporal_db_file:
            await self._add_file(Path(self._config.temporal_db_file))
        if self._config.temporal_db_dsn:
            dsn = self._config.temporal_db_dsn
            await self._add_dump(WORKFLOWS, dsn)
            await self._add_dump(VISIBILITY, visibility_of(dsn))

    async def add_books(self, snapshot: str) -> None:
        """Our database as the exported snapshot sees it."""
        await self._add_dump(BOOKS, self._config.database_url, snapshot)

    async def seal(self, facts: BooksFacts) -> Manifest:
        """Write the manifest and sync everything to disk."""
        made = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        manifest = Manifest(created_at=made, app_version=self._config.app_version, books=facts, members=())
        complete = self._writer.finish(manifest)
        self._file.flush()
        await asyncio.to_thread(os.fsync, self._file.fileno())
        return complete

    async def _add_dump(self, name: str, dsn: str, snapshot: str | None = None) -> None:
        self._writer.begin(name)
        await self._tools.dump(dsn, self._write, snapshot=snapshot)

    async def _add_file(self, source: Path) -> None:
        """The plain copy lies beside its original for a moment: as open, or as closed, as that is."""
        _remove_stale(source.parent, ".copy-*")
        with tempfile.TemporaryDirectory(prefix=".copy-", dir=source.parent) as beside:
            await sqlite.copy(source, Path(beside) / "store")
            self._writer.begin(WORKFLOWS_FILE)
            async for piece in sqlite.compressed(Path(beside) / "store"):
                await self._write(piece)

    async def _write(self, piece: bytes) -> None:
        await asyncio.to_thread(self._writer.write, piece)


class Vault:
    """Writes, checks, publishes and prunes archives, and streams their parts."""

    def __init__(self, config: VaultConfig, tools: PgTools) -> None:
        self.config, self.tools = config, tools

    @asynccontextmanager
    async def writing(self, name: str) -> AsyncIterator[tuple[Writing, ArchiveRef]]:
        """Write a new archive under a partial name of this attempt's own; it is removed when the block fails."""
        directory, key = self._directory(), self._key()
        partial = directory / f".{name}.{secrets.token_hex(4)}.partial"
        with _private(partial) as file:
            try:
                writer = ArchiveWriter(file, key)
                yield Writing(self.config, self.tools, writer, file), ArchiveRef(name=name, partial=partial.name)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise

    def written(self, archive: ArchiveRef) -> ArchiveWritten:
        return ArchiveWritten(archive=archive, size=self._path(archive).stat().st_size)

    async def verify(self, archive: ArchiveRef) -> ArchiveVerified:
        """Read it back from its first byte to its last: it opens, nothing is missing, every part has its sum.

        Raises: Broken backup_failed.
        """
        checker, path = Checker(), self._path(archive)
        async with contextlib.aclosing(self._frames(path)) as frames:
            async for frame in frames:
                await asyncio.to_thread(checker.see, frame)
        manifest = checker.verdict()
        if BOOKS not in {member.name for member in manifest.members}:
            raise damaged("the books are missing")
        return ArchiveVerified(size=path.stat().st_size, manifest=manifest)

    async def publish(self, archive: ArchiveRef) -> None:
        """Give a verified archive its name, for good. Again: finds it published."""
        directory = self._directory()
        partial, final = directory / archive.partial, directory / archive.name
        if not partial.exists() and final.exists():
            return
        partial.replace(final)
        await asyncio.to_thread(_sync_directory, directory)

    async def discard(self, name: str) -> None:
        """Remove whatever an unfinished run left. A published archive stays."""
        for partial in self._directory().glob(f".{name}.*.partial"):
            partial.unlink(missing_ok=True)

    async def prune(self, newest: str) -> Pruned:
        """Remove all but the newest archives; called when `newest` is verified and published, never else."""
        names = self.names()
        if newest not in names:
            raise Broken("backup_failed", f"{newest} is not in the vault: nothing was removed")
        removed = [name for name in names[: -self.config.keep] if name != newest]
        for name in removed:
            (self._directory() / name).unlink(missing_ok=True)
        for pattern in (".*.partial", ".check-*"):
            _remove_stale(self._directory(), pattern)
        return Pruned(removed=tuple(removed), kept=len(names) - len(removed))

    def names(self) -> list[str]:
        """Published archives, oldest first: names begin with the time."""
        return sorted(path.name for path in self._directory().glob(f"holdfast-*{SUFFIX}"))

    async def part(self, archive: ArchiveRef, name: str) -> AsyncIterator[bytes]:
        """The bytes of one part. Use what it gives only of an archive that `verify` has read."""
        inside = False
        async with contextlib.aclosing(self._frames(self._path(archive))) as frames:
            async for frame in frames:
                if frame.kind == PART:
                    inside = frame.content.decode() == name
                elif frame.kind == DATA and inside:
                    yield frame.content

    async def check_workflow_store(self, archive: ArchiveRef, manifest: Manifest) -> list[str]:
        """Open every part of the workflow store; return their names. Raises: Broken backup_failed."""
        names = [member.name for member in manifest.members if member.name != BOOKS]
        for name in names:
            if name == WORKFLOWS_FILE:
                with tempfile.TemporaryDirectory(prefix=".check-", dir=self._directory()) as scratch:
                    await sqlite.unpack(self.part(archive, name), Path(scratch) / "store")
                    await sqlite.check(Path(scratch) / "store")
            else:
                await self.tools.read_through(self.part(archive, name))
        return names

    async def restore_books(self, archive: ArchiveRef, dsn: str, *, clean: bool = False) -> None:
        """Load the books into a database, all of them or nothing. Raises: as PgTools.restore."""
        await self.tools.restore(dsn, self.part(archive, BOOKS), clean=clean)

    async def restore_workflow_store(
        self, archive: ArchiveRef, manifest: Manifest, target: str, *, clean: bool = False
    ) -> None:
        """Put the workflow store back while Temporal is stopped: into a file, or into its two databases.

        Args:   target  a path or a postgresql:// DSN, as the archive's kind needs.   clean  replace what is there.
        Raises: Broken backup_failed when the archive holds the other kind, or the target is in use.
        """
        names = {member.name for member in manifest.members}
        if WORKFLOWS_FILE in names and "://" not in target:
            await self._restore_file(archive, Path(target), clean=clean)
        elif WORKFLOWS in names and "://" in target:
            await self.tools.restore(target, self.part(archive, WORKFLOWS), clean=clean)
            await self.tools.restore(visibility_of(target), self.part(archive, VISIBILITY), clean=clean)
        else:
            raise damaged(
                f"its workflow store ({', '.join(sorted(names - {BOOKS})) or 'none'}) does not fit the target"
            )

    async def _restore_file(self, archive: ArchiveRef, target: Path, *, clean: bool) -> None:
        _make_room(target, clean=clean)
        fresh = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        try:
            await sqlite.unpack(self.part(archive, WORKFLOWS_FILE), fresh)
            await sqlite.check(fresh)
            _replace(target, fresh)
        finally:
            fresh.unlink(missing_ok=True)

    async def _frames(self, path: Path) -> AsyncGenerator[Frame, None]:
        key = self._key()
        with _opened(path) as file:
            frames = read_frames(file, key)
            while (frame := await asyncio.to_thread(next, frames, None)) is not None:
                yield frame

    def _path(self, archive: ArchiveRef) -> Path:
        """Names of archives come from people too: a path (CLI) or a name in the vault."""
        if os.sep in archive.name:
            return Path(archive.name)
        return self._directory() / (archive.partial or archive.name)

    def _key(self) -> bytes:
        return key_from_base64(self.config.key)

    def _directory(self) -> Path:
        """The vault, made when missing. Raises: Broken backup_failed: not set, or lost together with the data."""
        if not self.config.directory:
            raise Broken("backup_failed", "BACKUP_DIR is not set")
        directory = Path(self.config.directory).resolve()
        for data in (path.resolve() for path in self.config.data_dirs):
            if directory == data or data in directory.parents:
                raise Broken("backup_failed", "BACKUP_DIR is inside the data directory: both would be lost together")
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return directory


def visibility_of(dsn: str) -> str:
    """Temporal's second database is named after its first."""
    return database_of(dsn, f"{name_of(dsn)}_visibility")


@contextlib.contextmanager
def _private(path: Path) -> Iterator[BinaryIO]:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        yield file


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        file = path.open("rb")
    except OSError as failure:
        raise damaged(f"{path.name}: {failure.strerror}") from failure
    with file:
        yield file


def _make_room(target: Path, *, clean: bool) -> None:
    if target.exists() and not clean:
        raise Broken("backup_failed", f"{target.name} exists: stop Temporal and move it away, or force")
    target.parent.mkdir(parents=True, exist_ok=True)


def _replace(target: Path, fresh: Path) -> None:
    """The old file's log goes first: SQLite would apply it to the new file."""
    for rest in ("-wal", "-shm"):
        target.with_name(target.name + rest).unlink(missing_ok=True)
    fresh.replace(target)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_stale(directory: Path, pattern: str) -> None:
    """What killed runs left behind, a day later."""
    for path in directory.glob(pattern):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > STALE_S:
                for inner in path.iterdir() if path.is_dir() else ():
                    inner.unlink()
                path.rmdir() if path.is_dir() else path.unlink()
