"""What the embedded stack consists of: which processes, with which environment, in which order."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.context import PACE
from cli.outside import Misuse, Outside, from_environment
from cli.polymarket import LocalPolymarket
from cli.solana import LocalSolana
from localnet.evm import CHAIN_ID, Evm
from localnet.files import write_json
from localnet.keys import StackSecrets, address_of, first_contract_of, load_or_create
from localnet.ports import HOST, PortBook
from localnet.postgres import Postgres
from localnet.probes import http_ok
from localnet.process import ChildSpec, run_to_end
from localnet.sink import WebhookSink
from localnet.supervisor import Pids, StartError, Step, Supervisor
from localnet.temporal import NAMESPACE, Temporal

ROOT = Path(__file__).resolve().parents[1]
REPLACEABLE = ("evm", "ipfs", "llm", "polygon", "polymarket", "search", "solana")
PLURAL = ("api", "worker", "signer")

# With --without evm these come from the environment of `up`, each also as NAME_FILE.
CHAIN_NEEDED = ("ARBITRUM_RPC_URL", "USDC_CONTRACT_ADDRESS")
CHAIN_OPTIONAL = ("ARBITRUM_WS_URL", "ARBITRUM_RPC_FALLBACK_URL", "DEPOSIT_XPUB", "COLD_WALLET_ADDRESS")
WALLETS = ("HOT_WALLET", "GAS_WALLET")


@dataclass(frozen=True)
class Programs:
    """How the product's own processes are called."""

    worker: tuple[str, ...] = (str(ROOT / "worker.py"), "--queues", "exchange,copytrade,launchpad,operations")
    signer: tuple[str, ...] = (str(ROOT / "worker.py"), "--queues", "evm-signer,solana-signer")
    api: tuple[str, ...] = (str(ROOT / "server.py"),)
    migrate: tuple[str, ...] = ("-m", "cli.main", "migrate", "--yes")
    bootstrap: tuple[str, ...] = ("-m", "cli.main", "keys", "bootstrap", "--json")


@dataclass
class Stack:
    """One data directory and everything that runs on it."""

    directory: Path
    without: frozenset[str] = frozenset()
    extra: Mapping[str, str] = field(default_factory=dict)
    programs: Programs = field(default_factory=Programs)
    workers: int = 2
    supervisor: Supervisor = field(init=False)

    def __post_init__(self) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.ports = PortBook(self.directory / "ports.json")
        self.secrets: StackSecrets = load_or_create(self.directory / "secrets.json")
        self.postgres = Postgres(self.directory / "postgres", self.ports.take("postgres"))
        self.temporal = Temporal(
            self.directory / "temporal",
            port=self.ports.take("temporal"),
            ui_port=self.ports.take("temporal-ui"),
            http_port=self.ports.take("temporal-http"),
            metrics_port=self.ports.take("temporal-metrics"),
        )
        self.evm: Evm | None = None
        if "evm" not in self.without:
            self.evm = Evm(self.directory / "evm", self.ports.take("evm"))
        self.sink = WebhookSink(self.ports.take("webhook-sink"))
        self.outside = Outside(self.directory, self.without, self.ports, self.secrets.arweave_keypair)
        self.polymarket = LocalPolymarket(self.directory, self.without, self.ports)
        self.solana = LocalSolana(self.directory, self.without, self.ports, self.secrets.solana_platform_address)
        self._chain = self._external_chain() if self.evm is None else self._local_chain(self.evm)
        self.usdc_address = self._chain["USDC_CONTRACT_ADDRESS"]

    @property
    def api_url(self) -> str:
        return f"http://{HOST}:{self.ports.take('api')}"

    @property
    def endpoints_file(self) -> Path:
        return self.directory / "endpoints.json"

    def build(self, supervisor: Supervisor) -> None:
        """Adds everything to the supervisor, each after what it needs."""
        self.supervisor = supervisor
        supervisor.add(Step(name="webhook sink", run=self.sink.start))
        supervisor.add(self.postgres.child(self._log("postgres")))
        supervisor.add(self.temporal.child(self._log("temporal")))
        supervisor.add(Step(name="retention", run=self.temporal.set_retention, needs=("temporal",)))
        needs: tuple[str, ...] = ("retention", "tables")
        for upstreams in self.outside.child(self._log("upstreams")):
            supervisor.add(upstreams)
            needs = (*needs, upstreams.name)
        needs = (*needs, *self.polymarket.add(supervisor, self._log), *self.solana.add(supervisor, self._log))
        if self.evm is not None:
            self.evm.on_full = self._compact_chain
            supervisor.add(self.evm.child(self._log("evm")))
            supervisor.add(Step(name="chain", run=self._set_up_chain, needs=("evm",)))
            needs = (*needs, "chain")
        supervisor.add(Step(name="tables", run=self._migrate, needs=("postgres",)))
        supervisor.add(Step(name="admin key", run=self._bootstrap, needs=("tables",)))
        asking = {**PACE, **self.outside.env, **self.polymarket.env, **self._worker_env()}
        for number in range(1, self.workers + 1):
            supervisor.add(self._worker(f"worker-{number}", "worker", self.programs.worker, asking, needs))
        supervisor.add(self._worker("signer", "signer", self.programs.signer, self._signer_env(), needs))
        supervisor.add(self._api((*needs, "admin key")))

    async def close(self) -> None:
        """Ends what runs inside this process; the children are the supervisor's."""
        if self.evm is not None and self.evm.keeper is not None:
            await self.evm.keeper.close()
        await self.polymarket.close()
        await self.sink.close()

    def write_endpoints(self, pids: Pids) -> None:
        """The file everybody finds the stack by, replaced as a whole."""
        write_json(self.endpoints_file, self.endpoints(pids))

    def endpoints(self, pids: Pids) -> dict[str, Any]:
        """What stands in ``endpoints.json``; sections of what does not run are absent."""
        value: dict[str, Any] = {
            "api_url": self.api_url,
            "admin_api_key": self.secrets.admin_api_key,
            "temporal_address": self.temporal.address,
            "temporal_ui_url": self.temporal.ui_url,
            "temporal_namespace": NAMESPACE,
            "postgres_dsn": self.postgres.dsn(),
        }
        if self.evm is not None:
            value["evm"] = {
                "rpc_url": self.evm.rpc_url,
                "ws_url": self.evm.ws_url,
                "chain_id": CHAIN_ID,
                "usdc_address": self.usdc_address,
                "faucet_private_key": self.secrets.faucet_private_key,
            }
        value["upstreams"] = {**self.outside.urls, "webhook_sink_url": self.sink.url}
        value |= self.polymarket.endpoints | self.solana.endpoints
        numbers: dict[str, Any] = {"supervisor": os.getpid()}
        for group, found in pids.items():
            numbers[group] = found if group in PLURAL else found[0]
        value["pids"] = numbers
        return value

    # Processes.

    def _log(self, name: str) -> Path:
        return self.directory / "logs" / f"{name}.log"

    def _python(self, arguments: tuple[str, ...]) -> tuple[str, ...]:
        return (sys.executable, "-X", "faulthandler", *arguments)

    def _worker(
        self, name: str, group: str, program: tuple[str, ...], env: dict[str, str], needs: tuple[str, ...]
    ) -> ChildSpec:
        port = self.ports.take(f"{name}-metrics")
        return ChildSpec(
            name=name,
            group=group,
            argv=self._python(program),
            env={**env, "METRICS_HOST": HOST, "METRICS_PORT": str(port), "GRACEFUL_SHUTDOWN_S": "3"},
            cwd=ROOT,
            log=self._log(name),
            ready=http_ok(f"http://{HOST}:{port}/health"),
            needs=needs,
            ready_timeout=60,
        )

    def _api(self, needs: tuple[str, ...]) -> ChildSpec:
        env: dict[str, str] = {
            **self.polymarket.env,
            **self.outside.public,
            **self._common_env(),
            "SESSION_SECRET": self.secrets.session_secret,
        }
        env |= {"API_HOST": HOST, "API_PORT": str(self.ports.take("api"))}
        return ChildSpec(
            name="api",
            group="api",
            argv=self._python(self.programs.api),
            env=env,
            cwd=ROOT,
            log=self._log("api"),
            ready=http_ok(f"{self.api_url}/api/ready"),
            needs=needs,
            ready_timeout=60,
        )

    # Environments: explicit and minimal. Private keys are in the signer's alone.

    def _common_env(self) -> dict[str, str]:
        return {
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin")),
            "HOME": os.environ.get("HOME", str(self.directory)),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "PYTHONUNBUFFERED": "1",
            "MALLOC_ARENA_MAX": "2",
            "HOLDFAST_PROFILE": "local",
            "PUBLIC_URL": self.api_url,
            "DATABASE_URL": self.postgres.dsn(),
            "TEMPORAL_ADDRESS": self.temporal.address,
            "TEMPORAL_NAMESPACE": NAMESPACE,
            "TEMPORAL_UI_URL": self.temporal.ui_url,
            **self._chain,
            **self.solana.env,
            **self.extra,
        }

    def _worker_env(self) -> dict[str, str]:
        return {
            **self._common_env(),
            "BACKUP_KEY": self.secrets.backup_key,
            "BACKUP_DIR": str(self.directory.with_name(f"{self.directory.name}-backups")),
            "DATA_DIR": str(self.directory),
            "PG_BIN_DIR": str(self.postgres.binaries.bin),
            "TEMPORAL_DB_FILE": str(self.temporal.db_file),
        }

    def _signer_env(self) -> dict[str, str]:
        own = self.secrets
        keys = {
            "HOT_WALLET_PRIVATE_KEY": own.hot_wallet_private_key,
            "GAS_WALLET_PRIVATE_KEY": own.gas_wallet_private_key,
            "DEPOSIT_ACCOUNT_XPRV": own.deposit_account_xprv,
            "SOLANA_PLATFORM_KEYPAIR": self.solana.keypair or own.solana_platform_keypair,
        }
        if self.evm is None:
            keys = {name: from_environment(name) or value for name, value in keys.items()}
        return {**self._worker_env(), **keys}

    def _local_chain(self, evm: Evm) -> dict[str, str]:
        return {
            "ARBITRUM_RPC_URL": evm.rpc_url,
            "ARBITRUM_WS_URL": evm.ws_url,
            "ARBITRUM_CHAIN_ID": str(CHAIN_ID),
            "USDC_CONTRACT_ADDRESS": first_contract_of(self.secrets.faucet_address),
            "DEPOSIT_XPUB": self.secrets.deposit_xpub,
            "HOT_WALLET_ADDRESS": self.secrets.hot_wallet_address,
            "GAS_WALLET_ADDRESS": self.secrets.gas_wallet_address,
            "COLD_WALLET_ADDRESS": self.secrets.cold_wallet_address,
        }

    def _external_chain(self) -> dict[str, str]:
        """The chain of the environment; wallets it does not name are those of this data directory."""
        found = {name: from_environment(name) for name in (*CHAIN_NEEDED, *CHAIN_OPTIONAL)}
        missing = [name for name in CHAIN_NEEDED if not found[name]]
        if missing:
            raise Misuse(f"--without evm needs {', '.join(missing)} in the environment")
        chain = {name: value for name, value in found.items() if value}
        chain["ARBITRUM_CHAIN_ID"] = from_environment("ARBITRUM_CHAIN_ID") or str(CHAIN_ID)
        chain.setdefault("DEPOSIT_XPUB", self.secrets.deposit_xpub)
        chain.setdefault("COLD_WALLET_ADDRESS", self.secrets.cold_wallet_address)
        own = {"HOT_WALLET": self.secrets.hot_wallet_address, "GAS_WALLET": self.secrets.gas_wallet_address}
        for wallet in WALLETS:
            key = from_environment(f"{wallet}_PRIVATE_KEY")
            named = from_environment(f"{wallet}_ADDRESS")
            chain[f"{wallet}_ADDRESS"] = named or (address_of(key) if key else own[wallet])
        return chain

    # Steps.

    async def _migrate(self) -> None:
        await run_to_end(self._python(self.programs.migrate), self._common_env(), ROOT)

    async def _bootstrap(self) -> None:
        env = {**self._common_env(), "HOLDFAST_BOOTSTRAP_ADMIN_KEY": self.secrets.admin_api_key}
        answer = json.loads(await run_to_end(self._python(self.programs.bootstrap), env, ROOT))
        if answer.get("api_key", self.secrets.admin_api_key) != self.secrets.admin_api_key:
            raise StartError("the database belongs to another data directory: it has another admin key")

    async def _set_up_chain(self) -> None:
        """First start: USDC and gas. Every start: begin to save the chain."""
        if self.evm is None:
            return
        fund = (self.secrets.hot_wallet_address, self.secrets.gas_wallet_address)
        if await self.evm.nonce_of(self.secrets.faucet_address) <= len(fund):
            from localnet.evm_setup import set_up_chain  # half a second to import: first start only

            await set_up_chain(self.evm.rpc_url, self.secrets.faucet_private_key, fund)
        keeper = self.evm.keep()
        while not await keeper.save():
            pass

    def _compact_chain(self) -> None:
        self._compaction = asyncio.get_running_loop().create_task(self.supervisor.restart("evm"))
