"""The file format of a backup: parts one after the other, encrypted and authenticated in order, to the last byte.

    MAGIC · salt (32) · key mark (8) · frames
    frame = length (4, big endian) · AES-256-GCM(kind (1) · content)

The key of a file is derived from BACKUP_KEY and its salt, so nonces may count: 11 bytes of frame number, 1 byte that
is 1 for the last frame only. A frame that is changed, moved, left out or repeated does not open; a file without its
last frame, or with anything behind it, is refused. Kinds: `P` a part begins (its name), `D` its bytes, `E` the end
(the manifest). Memory holds one frame, never a dump.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import struct
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from domain.operations.messages import Manifest, Member
from domain.shared.errors import Broken

MAGIC: Final = b"HOLDFAST BACKUP 1\n"
FRAME: Final = 1 << 20
_SALT: Final = 32
_MARK: Final = 8
_TAG: Final = 16
_HEADER: Final = len(MAGIC) + _SALT + _MARK
PART, DATA, END = b"P", b"D", b"E"


class Frame(NamedTuple):
    """`kind` is PART, DATA or END; `content` a name, bytes of the part, or the manifest's JSON."""

    kind: bytes
    content: bytes


def damaged(detail: str) -> Broken:
    """An archive that must not be trusted."""
    return Broken("backup_failed", f"archive: {detail}")


def key_from_base64(text: str) -> bytes:
    """BACKUP_KEY as bytes. Raises: Broken backup_failed, without the value."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != 32:
        raise Broken("backup_failed", "BACKUP_KEY is not base64 of 32 bytes")
    return key


def _derive(key: bytes, salt: bytes) -> tuple[AESGCM, bytes]:
    """The file's cipher, and a mark that tells another key from a changed file."""
    material = HKDF(SHA256(), 32 + _MARK, salt, b"holdfast backup 1").derive(key)
    return AESGCM(material[:32]), material[32:]


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


class ArchiveWriter:
    """Writes one archive into an open file. Bytes are gathered into frames of a megabyte."""

    def __init__(self, file: BinaryIO, key: bytes) -> None:
        salt = os.urandom(_SALT)
        self._cipher, mark = _derive(key, salt)
        self._header = MAGIC + salt + mark
        self._file = file
        self._number = 0
        self._pending = bytearray()
        self._name = ""
        self._sum = hashlib.sha256()
        self._size = 0
        self.members: list[Member] = []
        file.write(self._header)

    def begin(self, name: str) -> None:
        """The following bytes belong to this part."""
        self._close_part()
        self._name, self._sum, self._size = name, hashlib.sha256(), 0
        self._emit(PART, name.encode())

    def write(self, data: bytes) -> None:
        self._sum.update(data)
        self._size += len(data)
        self._pending += data
        while len(self._pending) >= FRAME:
            self._emit(DATA, bytes(self._pending[:FRAME]))
            del self._pending[:FRAME]

    def finish(self, manifest: Manifest) -> Manifest:
        """Write the manifest, completed with the parts, as the last frame; return it."""
        self._close_part()
        complete = manifest.model_copy(update={"members": tuple(self.members)})
        self._emit(END, complete.model_dump_json().encode())
        return complete

    def _close_part(self) -> None:
        if self._pending:
            self._emit(DATA, bytes(self._pending))
            self._pending.clear()
        if self._name:
            self.members.append(Member(name=self._name, size=self._size, sha256=self._sum.hexdigest()))
            self._name = ""

    def _emit(self, kind: bytes, content: bytes) -> None:
        nonce = _nonce(self._number, last=kind == END)
        sealed = self._cipher.encrypt(nonce, kind + content, self._header)
        self._file.write(struct.pack(">I", len(sealed)) + sealed)
        self._number += 1


def read_frames(file: BinaryIO, key: bytes) -> Iterator[Frame]:
    """Every frame in order; the last one is END. What it yields is authentic, but only END says that it is all.

    Raises: Broken backup_failed: another key, changed, cut off, or not an archive.
    """
    header = file.read(_HEADER)
    if len(header) < _HEADER or not header.startswith(MAGIC):
        raise damaged("not a Holdfast backup, or cut off")
    cipher, mark = _derive(key, header[len(MAGIC) : -_MARK])
    if mark != header[-_MARK:]:
        raise damaged("made with another BACKUP_KEY, or its header was changed")
    number = 0
    while True:
        frame = _open(cipher, header, _next_sealed(file), number)
        if frame.kind == END and file.read(1):
            raise damaged("there is something behind its end")
        yield frame
        if frame.kind == END:
            return
        number += 1


def _next_sealed(file: BinaryIO) -> bytes:
    prefix = file.read(4)
    size = struct.unpack(">I", prefix)[0] if len(prefix) == 4 else 0
    if not _TAG < size <= FRAME + 1 + _TAG:
        raise damaged("cut off, or changed")
    sealed = file.read(size)
    if len(sealed) < size:
        raise damaged("cut off")
    return sealed


def _open(cipher: AESGCM, header: bytes, sealed: bytes, number: int) -> Frame:
    """A frame opens at its own place only, and as what it is: last or not."""
    for last in (False, True):
        try:
            plain = cipher.decrypt(_nonce(number, last=last), sealed, header)
        except InvalidTag:
            continue
        if (plain[:1] == END) == last:
            return Frame(plain[:1], plain[1:])
    raise damaged(f"frame {number} was changed or moved")


class Checker:
    """Sums what the frames hold and compares it with what the manifest says."""

    def __init__(self) -> None:
        self._seen: list[tuple[str, int, str]] = []
        self._name = ""
        self._sum = hashlib.sha256()
        self._size = 0
        self.manifest: Manifest | None = None

    def see(self, frame: Frame) -> None:
        if frame.kind == DATA:
            self._sum.update(frame.content)
            self._size += len(frame.content)
            return
        if self._name:
            self._seen.append((self._name, self._size, self._sum.hexdigest()))
        self._name, self._sum, self._size = "", hashlib.sha256(), 0
        if frame.kind == PART:
            self._name = frame.content.decode()
        else:
            self.manifest = Manifest.model_validate_json(frame.content)

    def verdict(self) -> Manifest:
        """The manifest, when every part is as it says. Raises: Broken backup_failed."""
        if self.manifest is None:
            raise damaged("it has no end")
        if self._seen != [(m.name, m.size, m.sha256) for m in self.manifest.members]:
            raise damaged("its parts are not those of its manifest")
        return self.manifest
