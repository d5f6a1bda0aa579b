import assert from "node:assert/strict";
import { Redis } from "ioredis";

const client = new Redis({ port: Number(process.env.PORT), host: "127.0.0.1", maxRetriesPerRequest: 0 });
// Before it is ready, it looks in INFO whether the server is still loading.
await new Promise((resolve, reject) => client.once("ready", resolve).once("error", reject));

assert.equal(await client.ping(), "PONG");
assert.equal(await client.set("user:1", "john"), "OK");
assert.equal(await client.get("user:1"), "john");
assert.equal(await client.get("missing"), null);
assert.equal(await client.mset({ a: "1", b: "2" }), "OK");
assert.deepEqual(await client.mget("a", "missing", "b"), ["1", null, "2"]);
assert.equal(await client.del("a", "b", "missing"), 2);
assert.equal(await client.strlen("user:1"), 4);

const pipeline = client.pipeline();
for (let n = 0; n < 1000; n++) pipeline.set(`key:${n}`, n).get(`key:${n}`);
const replies = await pipeline.exec();
assert.deepEqual(replies, [...Array(1000).keys()].flatMap((n) => [[null, "OK"], [null, String(n)]]));

const found = new Set();
for await (const keys of client.scanStream({ match: "key:*", count: 100 })) {
  for (const key of keys) found.add(key);
}
assert.equal(found.size, 1000);

const bytes = Buffer.from([...Array(256).keys()]);
assert.equal(await client.set("binary", bytes), "OK");
assert.ok(bytes.equals(await client.getBuffer("binary")));

// Its users take INFO apart like this.
const fields = (text) => Object.fromEntries(text.split("\r\n").filter((line) => /^[^#].*:/.test(line)).map((line) => line.split(/:(.*)/)));
const info = fields(await client.info());
assert.equal(info.db0, "keys=1002,expires=0,avg_ttl=0");
assert.ok(Number(info.total_commands_processed) > 2000 && Number(info.used_memory) > 0);
assert.match(fields(await client.info("commandstats")).cmdstat_get, /^calls=1003,usec=\d+,usec_per_call=[\d.]+,rejected_calls=0,failed_calls=0$/);

await assert.rejects(client.call("NOPE", "x"), /ERR unknown command 'NOPE', with args beginning with: 'x' $/);
client.disconnect();
