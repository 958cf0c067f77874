"""python -m programs.build [--check]: compiles programs/<name>/<name>.c with the pinned ziglang into <name>.so.

The built files are committed with their hashes (programs/built.json), so nobody needs the compiler to run Holdfast.
--check writes nothing and exits 1 when a committed file is not what its source compiles to. `--compiler clang-19`
compiles with another LLVM, whose bytes differ: that only proves the source is not tied to one compiler.
Source: launchpad.md 19; chains.md 4.2.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Final

from programs.interface import header
from programs.link import link

HERE: Final = Path(__file__).parent
NAMES: Final = ("launchpad", "pool")
MANIFEST: Final = HERE / "built.json"
ZIG: Final = (sys.executable, "-m", "ziglang", "cc", "-target", "bpfel-freestanding")
CLANG: Final = ("-target", "bpfel")
FLAGS: Final = (
    *("-mcpu=v2", "-O2", "-std=c11", "-ffreestanding", "-fno-builtin", "-fno-ident"),
    *("-Wall", "-Wextra", "-Werror", "-mllvm", "-bpf-stack-size=4096"),
)


def compile_program(name: str, compiler: tuple[str, ...] = ZIG, *, home: Path = HERE) -> bytes:
    """The bytes of the program in the folder of its name.

    Raises: CalledProcessError when the compiler refuses, NotLinkable when the object cannot become a program.
    """
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "program.o"
        command = [*compiler, *FLAGS, "-c", f"{name}.c", "-o", str(target)]
        subprocess.run(command, cwd=home / name, check=True)
        return link(target.read_bytes())


def interface_header(name: str) -> str:
    """What interface.h must say."""
    return header(json.loads((HERE / name / "idl.json").read_text()))


def digest(name: str) -> str:
    """The committed program's hash."""
    return sha256((HERE / name / f"{name}.so").read_bytes()).hexdigest()


def _write() -> None:
    built = {}
    for name in NAMES:
        (HERE / name / "interface.h").write_text(interface_header(name))
        program = compile_program(name)
        (HERE / name / f"{name}.so").write_bytes(program)
        built[name] = {"sha256": digest(name), "bytes": len(program)}
        print(f"{name}: {len(program)} bytes, sha256 {built[name]['sha256']}")
    MANIFEST.write_text(json.dumps(built, indent=1) + "\n")


def stale() -> list[str]:
    """What is not as its source says; empty when all is well."""
    found = []
    manifest = json.loads(MANIFEST.read_text())
    for name in NAMES:
        committed = HERE / name / f"{name}.so"
        if (HERE / name / "interface.h").read_text() != interface_header(name):
            found.append(f"{name}/interface.h")
        if committed.read_bytes() != compile_program(name):
            found.append(f"{name}/{name}.so")
        if manifest.get(name) != {"sha256": digest(name), "bytes": committed.stat().st_size}:
            found.append(f"built.json: {name}")
    return found


def main(arguments: list[str]) -> int:
    """0 when the work is done or nothing is stale."""
    if arguments[:1] == ["--compiler"]:
        for name in NAMES:
            print(f"{name}: {len(compile_program(name, (arguments[1], *CLANG)))} bytes with {arguments[1]}")
        return 0
    if arguments == ["--check"]:
        found = stale()
        for entry in found:
            print(f"stale: {entry}")
        return 1 if found else 0
    _write()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
