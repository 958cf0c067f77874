"""Makes a program the Solana loader takes (sBPF v0) out of one BPF object of a stock LLVM.

The object is ET_REL for machine EM_BPF, little-endian, without writable data. The program is a shared object: code,
constants, and one dynamic relocation per system call, which the loader resolves by the hash of its name. Section
headers stand in the order of their offsets and a section's address is its offset, as the loader demands.
Source: chains.md 4.2; the loader of solana-sbpf 0.10.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

MACHINE: Final = 247
ENTRY: Final = "entrypoint"
_RODATA_BASE: Final = 1 << 32
_HEADER, _PROGRAM_HEADERS, _PROGRAM_HEADER = 64, 4, 56
_LDDW, _ABSOLUTE, _CALL = 1, 2, 10
_PROGBITS, _SYMTAB, _RELA, _NOBITS, _REL = 1, 2, 4, 8, 9
_WRITE, _ALLOC, _EXECUTE = 1, 2, 4
_SECTION_SYMBOL = 3


class NotLinkable(ValueError):
    """The object holds something a program cannot."""


class Section(NamedTuple):
    """One section header of the object, with its name."""

    name: str
    kind: int
    flags: int
    offset: int
    size: int
    link: int
    info: int
    align: int


class Symbol(NamedTuple):
    """Section 0 means it is not defined here: a system call."""

    name: str
    kind: int
    section: int
    value: int


class Image(NamedTuple):
    """Merged code and constants; where each section of the object went: (in code?, offset)."""

    code: bytearray
    constants: bytearray
    placed: dict[int, tuple[bool, int]]

    @property
    def code_at(self) -> int:
        return _HEADER + _PROGRAM_HEADER * _PROGRAM_HEADERS

    @property
    def constants_at(self) -> int:
        return self.code_at + len(self.code)

    def address(self, symbol: Symbol, addend: int) -> int:
        in_code, offset = self.placed[symbol.section]
        return (self.code_at if in_code else self.constants_at) + offset + symbol.value + addend


def _text(raw: bytes, at: int) -> str:
    return raw[at : raw.index(b"\0", at)].decode()


def _sections(raw: bytes) -> list[Section]:
    kind, machine = struct.unpack_from("<HH", raw, 16)
    if raw[:4] != b"\x7fELF" or kind != 1 or machine != MACHINE:
        raise NotLinkable("not a relocatable BPF object")
    (table,) = struct.unpack_from("<Q", raw, 40)
    size, count, names = struct.unpack_from("<HHH", raw, 58)
    rows = [struct.unpack_from("<IIQQQQIIQQ", raw, table + index * size) for index in range(count)]
    return [Section(_text(raw, rows[names][4] + r[0]), r[1], r[2], r[4], r[5], r[6], r[7], r[8]) for r in rows]


def _symbols(raw: bytes, sections: list[Section]) -> list[Symbol]:
    table = next(section for section in sections if section.kind == _SYMTAB)
    names = sections[table.link].offset
    found = []
    for at in range(table.offset, table.offset + table.size, 24):
        name, info, _, section, value, _ = struct.unpack_from("<IBBHQQ", raw, at)
        found.append(Symbol(_text(raw, names + name), info & 15, section, value))
    return found


def _merge(raw: bytes, sections: list[Section]) -> Image:
    image = Image(bytearray(), bytearray(), {})
    for index, section in enumerate(sections):
        if not section.size or not section.flags & _ALLOC or section.name == ".eh_frame":
            continue
        constant = not section.flags & _WRITE or section.name.startswith(".data.rel.ro")
        if section.kind == _NOBITS or not constant:
            raise NotLinkable(f"writable data: {section.name}")
        if section.kind == _PROGBITS:
            into = image.code if section.flags & _EXECUTE else image.constants
            into.extend(bytes(-len(into) % max(8, section.align)))
            image.placed[index] = (bool(section.flags & _EXECUTE), len(into))
            into.extend(raw[section.offset : section.offset + section.size])
    image.code.extend(bytes(-len(image.code) % 8))
    return image


def _relocate(image: Image, target: int, offset: int, kind: int, symbol: Symbol, addend: int) -> str | None:
    """Fills in one reference. Returns the name of the system call it is, if it is one."""
    in_code, base = image.placed[target]
    code, at = image.code, base + offset
    if kind == _LDDW and in_code:
        (old,) = struct.unpack_from("<I", code, at + 4)
        value = _RODATA_BASE + image.address(symbol, old + addend)
        struct.pack_into("<I", code, at + 4, value & 0xFFFFFFFF)
        struct.pack_into("<I", code, at + 12, value >> 32)
    elif kind == _ABSOLUTE and not in_code and not image.placed[symbol.section][0]:
        (old,) = struct.unpack_from("<Q", image.constants, at)
        struct.pack_into("<Q", image.constants, at, _RODATA_BASE + image.address(symbol, old + addend))
    elif kind == _CALL and in_code:
        code[at + 1] = 0x10  # a relative call; for a system call the loader overwrites the operand
        if not symbol.section:
            struct.pack_into("<i", code, at + 4, -1)
            return symbol.name
        (old,) = struct.unpack_from("<i", code, at + 4)
        inside = (old + 1) * 8 if symbol.kind == _SECTION_SYMBOL else 0
        to = image.placed[symbol.section][1] + symbol.value + inside
        struct.pack_into("<i", code, at + 4, to // 8 - (at // 8 + 1))
    else:
        raise NotLinkable(f"relocation {kind} to {symbol.name or 'a section'}")
    return None


def _resolve(raw: bytes, sections: list[Section], symbols: list[Symbol], image: Image) -> list[tuple[int, str]]:
    """Every relocation of what was placed. Returns where system calls are made: (offset in the program, name)."""
    calls = []
    for section in sections:
        if section.kind not in (_REL, _RELA) or section.info not in image.placed:
            continue
        size = 24 if section.kind == _RELA else 16
        for at in range(section.offset, section.offset + section.size, size):
            offset, info = struct.unpack_from("<QQ", raw, at)
            addend = struct.unpack_from("<q", raw, at + 16)[0] if size == 24 else 0
            name = _relocate(image, section.info, offset, info & 0xFFFFFFFF, symbols[info >> 32], addend)
            if name is not None:
                calls.append((image.code_at + image.placed[section.info][1] + offset, name))
    return calls


def _dynamic(calls: list[tuple[int, str]], at: int) -> tuple[list[tuple[str, int, int, int, int, int, bytes]], bytes]:
    """The dynamic tables from `at`: (name, type, flags, entry size, link, align, bytes) in order; link is relative."""
    names = list(dict.fromkeys(name for _, name in calls))
    strings, symbols = b"\0", bytes(24)
    for name in names:
        symbols += struct.pack("<IBBHQQ", len(strings), 0x10, 0, 0, 0, 0)
        strings += name.encode() + b"\0"
    strings += bytes(-len(strings) % 8)
    moves = b"".join(struct.pack("<QQ", offset, names.index(name) + 1 << 32 | _CALL) for offset, name in calls)
    symbols_at = at + 8 * 16
    strings_at = symbols_at + len(symbols)
    moves_at = strings_at + len(strings)
    entries = [(0x1E, 4), (0x11, moves_at), (0x12, len(moves)), (0x13, 16)]
    entries += [(6, symbols_at), (0xB, 24), (5, strings_at), (0, 0)]
    table = b"".join(struct.pack("<QQ", tag, value) for tag, value in entries)
    tables = [
        (".dynamic", 6, 3, 16, 2, 8, table),
        (".dynsym", 11, 2, 24, 1, 8, symbols),
        (".dynstr", 3, 2, 0, 0, 8, strings),
        (".rel.dyn", 9, 2, 16, -2, 8, moves),
    ]
    return tables, table + symbols + strings + moves


def _headers(rows: list[tuple[str, int, int, int, int, int, int, int]], end: int) -> tuple[bytes, bytes]:
    """Section headers for (name, type, flags, offset, size, link, align, entry size), and the table of their names."""
    names, packed = b"\0", bytes(64)
    for name, kind, flags, offset, size, link, align, entry in [*rows, (".shstrtab", 3, 0, end, 0, 0, 1, 0)]:
        at, names = len(names), names + name.encode() + b"\0"
        size = len(names) if name == ".shstrtab" else size
        address = offset if flags & _ALLOC else 0
        packed += struct.pack("<IIQQQQIIQQ", at, kind, flags, address, offset, size, link, 0, align, entry)
    return packed, names


def link(raw: bytes) -> bytes:
    """The program.

    Raises: NotLinkable when the object has writable data, an unknown relocation or no entry point.
    """
    sections = _sections(raw)
    symbols = _symbols(raw, sections)
    image = _merge(raw, sections)
    image.constants.extend(bytes(-len(image.constants) % 8))
    calls = _resolve(raw, sections, symbols, image)
    entry = next((symbol for symbol in symbols if symbol.name == ENTRY and symbol.section), None)
    if entry is None:
        raise NotLinkable(f"no function {ENTRY}")
    rows = [(".text", 1, 6, image.code_at, len(image.code), 0, 8, 0)]
    rows += [(".rodata", 1, 2, image.constants_at, len(image.constants), 0, 8, 0)] if image.constants else []
    at = dynamic_at = image.constants_at + len(image.constants)
    tables, dynamic = _dynamic(calls, dynamic_at)
    for name, kind, flags, size, link_to, align, content in tables:
        rows.append((name, kind, flags, at, len(content), len(rows) + 1 + link_to if link_to else 0, align, size))
        at += len(content)
    headers, names = _headers(rows, at)
    names += bytes(-(at + len(names)) % 8)
    segments = [(1, 5, image.code_at, len(image.code)), (1, 4, image.constants_at, len(image.constants))]
    segments += [(1, 4, dynamic_at, len(dynamic)), (2, 6, dynamic_at, 8 * 16)]
    program = b"".join(struct.pack("<IIQQQQQQ", k, f, o, o, o, s, s, 0x1000) for k, f, o, s in segments)
    start, sections_at = image.address(entry, 0), at + len(names)
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack(
        "<HHIQQQIHHHHHH", 3, MACHINE, 1, start, 64, sections_at, 0, 64, 56, 4, 64, len(rows) + 2, len(rows) + 1
    )
    return head + program + bytes(image.code) + bytes(image.constants) + dynamic + names + headers
