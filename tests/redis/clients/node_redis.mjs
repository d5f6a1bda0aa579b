import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createClient, RESP_TYPES } from "redis";

const { PORT, CA_FILE, LOGIN, SECRET } = process.env;
const options = CA_FILE
  ? { socket: { port: Number(PORT), host: "localhost", tls: true, ca: readFileSync(CA_FILE) }, username: LOGIN, password: SECRET }
  : { socket: { port: Number(PORT), host: "127.0.0.1" } };

for (const RESP of [2, 3]) {
  const client = createClient({ RESP, ...options });
  client.on("error", (error) => { throw error; });
  await client.connect();

  assert.equal(await client.ping(), "PONG");
  assert.equal(await client.flushAll(), "OK");
  assert.equal(await client.set("user:1", "john"), "OK");
  assert.equal(await client.get("user:1"), "john");
  assert.equal(await client.get("missing"), null);
  assert.equal(await client.strLen("user:1"), 4);
  assert.equal(await client.type("user:1"), "string");
  assert.equal(await client.mSet({ a: "1", b: "2" }), "OK");
  assert.deepEqual(await client.mGet(["a", "missing", "b"]), ["1", null, "2"]);
  assert.equal(await client.exists(["a", "a", "missing"]), 2);
  assert.equal(await client.dbSize(), 3);
  assert.equal(await client.del(["a", "b", "missing"]), 2);
  assert.deepEqual(await client.keys("user:*"), ["user:1"]);
  assert.equal(await client.echo("hi"), "hi");
  assert.match(await client.info(), /pid:\d+/);
  assert.match(await client.info("commandstats"), /^# Commandstats\r\n(cmdstat_.+\r\n)*cmdstat_get:calls=\d+,usec=\d+,/);
  const memory = await client.memoryStats();
  assert.equal(memory["keys.count"], 1);
  assert.ok(memory["fragmentation"] > 0);

  // Calls made in one turn travel as one pipeline.
  const numbers = [...Array(1000).keys()];
  await Promise.all(numbers.map((n) => client.set(`key:${n}`, String(n))));
  const values = await Promise.all(numbers.map((n) => client.get(`key:${n}`)));
  assert.deepEqual(values, numbers.map(String));

  const found = new Set();
  for await (const keys of client.scanIterator({ MATCH: "key:*", COUNT: 100 })) {
    for (const key of [].concat(keys)) found.add(key);
  }
  assert.equal(found.size, 1000);

  const bytes = Buffer.from([...Array(256).keys()]);
  assert.equal(await client.set("binary", bytes), "OK");
  const binary = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  assert.ok(bytes.equals(await binary.get("binary")));

  await assert.rejects(client.sendCommand(["NOPE", "x"]), /ERR unknown command 'NOPE', with args beginning with: 'x' $/);

  const keys = await client.dbSize();
  for (const _ of [1, 2]) {
    const refused = client.multi().set("refused", "1").mSet({ "refused:1": "1" }).del("user:1").exec();
    await assert.rejects(refused);
    assert.equal(await client.dbSize(), keys);
    assert.equal(await client.get("user:1"), "john");
  }
  await assert.rejects(client.set("expiring", "1", { expiration: { type: "EX", value: 10 } }), /no expiry yet/);
  assert.equal(await client.get("expiring"), null);
  await client.close();
}
