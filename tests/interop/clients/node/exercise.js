// What a node client sees of a broker, as one JSON document: exercise.js kafkajs|confluent BOOTSTRAP PREFIX
//
// The steps of ../exercise.py as far as these clients can take them, under the same names and with the same sums.
// Errors are Kafka's codes.
'use strict';

const { createHash } = require('crypto');

const BASE = 1700000000000;
const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];
const [, , name, bootstrap, prefix] = process.argv;
const document = {};

const sum = (data) => createHash('sha256').update(data).digest('hex').slice(0, 16);
const bytes = (text) => Buffer.from(text, 'latin1');
const record = (key, value, timestamp = BASE, headers = [], partition = 0) =>
  ({ k: key, v: value, t: timestamp, h: headers, p: partition });
const numbered = (count, first = 0) =>
  Array.from({ length: count }, (_, i) => record(bytes(`k${first + i}`), bytes(`v${first + i}`), BASE + (first + i) * 1000));
const range = (count) => Array.from({ length: count }, (_, i) => i);

function text(data) {
  if (data === null || data === undefined) return null;
  return data.length <= 64 ? data.toString('latin1') : `${data.length} bytes ${sum(data)}`;
}

function shown(r) {
  return { p: r.p, o: r.o, t: r.t, type: 0, k: text(r.k), v: text(r.v), h: r.h.map(([key, value]) => [key, text(value)]) };
}

/** Of many records: how many, and a sum over all that was seen of each. These clients tell no timestamp types. */
function digest(records) {
  const none = (value) => (value === null ? 'None' : value);
  const lines = records.map((r) => {
    const headers = r.h.map(([key, value]) => `${key}=${none(text(value))}`).join(',');
    return `${r.p}|${r.o}|${r.t}|0|${none(text(r.k))}|${none(text(r.v))}|${headers}\n`;
  });
  return { count: records.length, sum: sum(Buffer.from(lines.join(''), 'utf8')) };
}

/** The last thing seen, which is the wanted one if that comes within 20 seconds. */
async function waitFor(look, wanted) {
  const deadline = Date.now() + 20000;
  for (;;) {
    const seen = await look();
    if (JSON.stringify(seen) === JSON.stringify(wanted) || Date.now() > deadline) return seen;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function saw(step, what) {
  document[step] = what;
  console.error(`${(process.uptime()).toFixed(1)} ${step}`);
}

async function topic(client, suffix, partitions = 1, configs = {}) {
  const t = `${prefix}-${suffix}`;
  const code = await client.create(t, partitions, configs);
  if (code !== 0) throw new Error(`creating ${t}: ${code}`);
  await client.offsets(t, []);
  return t;
}

async function producing(client) {
  for (const acks of [0, 1, -1]) {
    const t = await topic(client, `acks-${acks}`);
    const offsets = await client.produce(t, numbered(50), { acks });
    await waitFor(async () => (await client.offsets(t, []))[1], 50);
    saw(`acks ${acks === -1 ? 'all' : acks}`, [offsets[0], offsets[49], digest(await client.read(t))]);
  }

  let t = await topic(client, 'shapes');
  await client.produce(t, [
    record(null, bytes('only a value')), record(bytes('only a key'), null), record(bytes(''), bytes('')),
    record(bytes('key'), bytes('value'), BASE + 5, [['a', bytes('1')], ['b', bytes('2')], ['empty', bytes('')]]),
    record(bytes('\x00\xff'), bytes('\xfe\x01'), 1), record(null, null)]);
  saw('shapes', (await client.read(t)).map(shown));

  const megabyte = Buffer.from(Array.from({ length: 999000 }, (_, i) => (i * 31 + (i >> 8)) & 255));
  t = await topic(client, 'megabyte');
  const big = [];
  for (let i = 0; i < 3; i++) big.push(...(await client.produce(t, [record(bytes('big'), megabyte)])));
  saw('records of a megabyte', [big, digest(await client.read(t))]);
  const two = record(bytes('big'), Buffer.concat([megabyte, megabyte]));
  saw('too large', [await client.produce(t, [two], { maxRequest: 5000000 }), (await client.offsets(t, []))[1]]);
  t = await topic(client, 'small-limit', 1, { 'max.message.bytes': '1000' });
  saw('too large for the topic', [
    await client.produce(t, [record(bytes('k'), megabyte.subarray(0, 1200))]),
    await client.produce(t, [record(bytes('k'), bytes('v'))])]);

  for (const codec of CODECS) {
    t = await topic(client, `codec-${codec}`);
    await client.produce(t, numbered(300), { codec });
    saw(`codec ${codec}`, digest(await client.read(t)));
  }
  if (client.linked) {
    t = await topic(client, 'linked');
    // Kafka stumbles over it (error -1), Klamm calls it an invalid record (87)
    const [refused] = await client.produce(t, numbered(300), { codec: 'lz4', linked: true });
    saw('lz4 of linked blocks', [['error -1', 'error 87'].includes(refused), await client.offsets(t, [])]);
  }
  t = await topic(client, 'recompressed', 1, { 'compression.type': 'zstd' });
  await client.produce(t, numbered(300), { codec: 'gzip' });
  saw('recompressed by the broker', digest(await client.read(t)));

  t = await topic(client, 'spread', 6);
  const placed = await client.spread(t, range(48).map((i) => bytes(`key-${i}`)));
  const seen = (await client.read(t, { partitions: 6 })).map((r) => [r.p, text(r.k)]);
  saw('keys spread over partitions', [placed, seen.sort((a, b) => a[0] - b[0] || (a[1] < b[1] ? -1 : 1))]);

  t = await topic(client, 'idempotent');
  const first = await client.produce(t, numbered(1000), { idempotent: true });
  const more = await client.produce(t, numbered(1000, 1000), { idempotent: true });
  saw('idempotent', [first[0], more[0], digest(await client.read(t))]);

  t = await topic(client, 'append-time', 1, { 'message.timestamp.type': 'LogAppendTime' });
  const before = Date.now();
  await client.produce(t, numbered(3));
  const got = await client.read(t);
  saw('log append time', got.map((r) => before <= r.t && r.t <= Date.now()));

  t = await topic(client, 'limits');
  for (const r of Array(10).fill(record(bytes('k'), megabyte.subarray(0, 5000)))) await client.produce(t, [r]);
  saw('batches above every fetch limit', digest(await client.read(t, { limits: true })));
}

async function seeking(client) {
  const t = await topic(client, 'seek');
  for (const [first, count] of [[0, 30], [30, 1], [31, 39], [70, 30]]) await client.produce(t, numbered(count, first));
  saw('offsets', await client.offsets(t, [BASE - 1, BASE, BASE + 40000, BASE + 40500, BASE + 99000, BASE + 99001]));
  saw('all after seeking to the beginning', digest(await client.read(t)));
  saw('seeking into a batch', (await client.read(t, { start: 37 })).slice(0, 1).map(shown));
  saw('the rest from there', digest(await client.read(t, { start: 37 })));
  saw('read committed', digest(await client.read(t, { committed: true })));
  saw('offset out of range', await client.read(t, { start: 100000 }));
  if (client.resets) {
    saw('offset out of range, reset to earliest', digest(await client.read(t, { start: 100000, reset: 'earliest' })));
    saw('offset out of range, reset to latest', await client.read(t, { start: 100000, reset: 'latest' }));
  }

  const waited = await topic(client, 'long-poll');
  let sent = 0;
  let offsets;
  const got = await client.waitAndRead(waited, async () => {
    sent = Date.now();
    offsets = await client.produce(waited, numbered(1));
  });
  saw('a waiting consumer is woken', [digest(got), Date.now() - sent < 4000]);
  saw('what woke it', offsets);
}

async function administration(client) {
  saw('unknown topic', await client.partitionCount(`${prefix}-unknown`));
  let t = `${prefix}-made-by-itself`;
  const offsets = await client.produce(t, numbered(3));
  saw('topic made by producing', [offsets, await client.partitionCount(t), digest(await client.read(t))]);

  t = await topic(client, 'admin');
  saw('topic exists', await client.create(t, 1));
  saw('no partitions', await client.create(`${t}2`, 0));
  saw('bad name', await client.create('not a name', 1));
  saw('bad config', await client.create(`${t}3`, 1, { 'retention.ms': 'soon' }));
  saw('unknown config', await client.create(`${t}4`, 1, { 'no.such.thing': '1' }));
  saw('more partitions', [await client.grow(t, 4), await waitFor(() => client.partitionCount(t), 4)]);
  saw('fewer partitions', await client.grow(t, 2));
  saw('delete', [await client.delete(t), await waitFor(() => client.partitionCount(t), 3)]);
  saw('delete again', await client.delete(t));
  saw('made again', [await client.create(t, 2), await waitFor(() => client.partitionCount(t), 2), await client.offsets(t, [])]);
}

async function living(client) {
  let t = await topic(client, 'living');
  let p = await client.producer(300);
  let c = await client.follow(t);
  const seen = [await client.send(p, t, numbered(2)), digest(await client.take(c, t, 1, 2)), await client.grow(t, 3)];
  seen.push(await waitFor(() => client.send(p, t, [record(bytes('k'), bytes('grown'), BASE, [], 2)]), [0]));
  seen.push(digest(await client.take(c, t, 3, 1)), await client.send(p, await topic(client, 'later'), numbered(3)));
  saw('partitions and topics made while clients live', seen);
  await client.close(p);
  await client.close(c);

  t = await topic(client, 'deleted-under-producer');
  p = await client.producer(300000);
  const before = await client.send(p, t, numbered(10));
  const gone = [await client.delete(t), await waitFor(() => client.partitionCount(t), 3)];
  saw('deleted under a producer', [before, ...gone, await client.send(p, t, numbered(1)), await client.partitionCount(t)]);
  await client.close(p);

  t = await topic(client, 'deleted-under-consumer');
  c = await client.follow(t);
  await client.produce(t, numbered(10));
  const under = [digest(await client.take(c, t, 1, 10)), await client.delete(t), await waitFor(() => client.partitionCount(t), 3)];
  await topic(client, 'deleted-under-consumer');
  await client.produce(t, numbered(3, 10));
  saw('deleted under a consumer, and made again', [...under, digest(await client.take(c, t, 1, 3))]);
  await client.close(c);
}

async function main() {
  const client = await require(`./${name}.js`).connect(bootstrap);
  await producing(client);
  await seeking(client);
  await administration(client);
  await living(client);
  process.stdout.write(JSON.stringify(document, null, 1), () => process.exit(0));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
