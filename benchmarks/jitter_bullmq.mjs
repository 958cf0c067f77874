// The peer: a delayed job of BullMQ. `node jitter_bullmq.mjs worker PORT FILE` | `load PORT JOBS RATE DELAY_MS`.
// Each job appends its lateness in seconds to FILE.
import fs from "node:fs";
import { Queue, Worker } from "bullmq";

const [, , role, port, ...rest] = process.argv;
const connection = { host: "127.0.0.1", port: Number(port) };
const now = () => Date.now() / 1000;

if (role === "worker") {
  const out = fs.openSync(rest[0], "a");
  const decide = async (job) => fs.writeSync(out, `${now() - job.data.detected - job.data.delay}\n`);
  await new Worker("decisions", decide, { connection, concurrency: 100 }).waitUntilReady();
  console.log("ready");
} else {
  const [jobs, rate, delayMs] = rest.map(Number);
  const queue = new Queue("decisions", { connection });
  await queue.waitUntilReady();
  const began = now();
  const adding = [];
  for (let number = 0; number < jobs; number++) {
    const wait = began + number / rate - now();
    if (wait > 0) await new Promise((done) => setTimeout(done, wait * 1000));
    adding.push(queue.add("decide", { detected: now(), delay: delayMs / 1000 }, { delay: delayMs }));
  }
  await Promise.all(adding);
  await queue.close();
}
