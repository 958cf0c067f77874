// Compiles contracts/src/*.sol into contracts/<Name>.json: node contracts/compile.mjs [--check]
// The artefacts are committed, so nobody needs the compiler to run Holdfast. --check writes nothing and
// exits 1 when an artefact is not what its source compiles to.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import solc from "solc";

const here = dirname(fileURLToPath(import.meta.url));
const check = process.argv.includes("--check");
let stale = 0;

for (const file of readdirSync(join(here, "src")).filter((name) => name.endsWith(".sol")).sort()) {
  const name = basename(file, ".sol");
  const source = readFileSync(join(here, "src", file), "utf8");
  const input = {
    language: "Solidity",
    sources: { [file]: { content: source } },
    settings: {
      evmVersion: "paris", // no PUSH0: the artefact runs on every chain we may meet
      optimizer: { enabled: true, runs: 200 },
      metadata: { bytecodeHash: "none", appendCBOR: false }, // same source, same bytes
      outputSelection: { "*": { "*": ["abi", "evm.bytecode.object"] } },
    },
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input)));
  for (const problem of output.errors ?? []) {
    console.error(problem.formattedMessage);
    if (problem.severity === "error") process.exit(1);
  }
  const contract = output.contracts[file][name];
  const artefact = {
    name,
    compiler: solc.version(),
    source_sha256: createHash("sha256").update(source).digest("hex"),
    abi: contract.abi,
    bytecode: "0x" + contract.evm.bytecode.object,
  };
  const target = join(here, `${name}.json`);
  const text = JSON.stringify(artefact, null, 1) + "\n";
  if (check) {
    const same = existsSync(target) && readFileSync(target, "utf8") === text;
    console.log(`${same ? "ok   " : "stale"} ${name}`);
    stale += same ? 0 : 1;
  } else {
    writeFileSync(target, text);
    console.log(`${name}: ${(artefact.bytecode.length - 2) / 2} bytes`);
  }
}
process.exit(stale ? 1 : 0);
