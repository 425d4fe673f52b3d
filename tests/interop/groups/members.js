// Members of groups as members.py has them, by kafkajs: members.js BOOTSTRAP TOPIC SPEC...
'use strict';

const fs = require('fs');
const { Kafka, PartitionAssigners, logLevel } = require('kafkajs');

const [bootstrap, topic, ...specs] = process.argv.slice(2);
let lines = [];

/** The wall clock in microseconds where hrtime is 0: a millisecond's beginning is watched, until nothing comes between. */
function origin() {
  const micros = () => Number(process.hrtime.bigint() / 1000n);
  for (;;) {
    const wall = Date.now();
    let before = micros();
    while (Date.now() === wall) before = micros();
    if (Date.now() === wall + 1 && micros() - before < 50) return (wall + 1) * 1000 - before;
  }
}

const begun = origin();

function say(who, ...what) {
  const micros = begun + Number(process.hrtime.bigint() / 1000n);
  lines.push(`${micros} ${who} ${what.join(' ').replace(/\n/g, ' ')}\n`);
}

function flush() {
  if (lines.length) fs.writeSync(1, lines.join(''));
  lines = [];
}

async function member(spec) {
  const who = `${spec.group} ${spec.member}`;
  const kafka = new Kafka({
    brokers: [bootstrap], logLevel: logLevel.NOTHING, retry: { initialRetryTime: 100, maxRetryTime: 500, retries: 50 },
  });
  const consumer = kafka.consumer({
    groupId: spec.group, sessionTimeout: Number(spec.session), heartbeatInterval: 500, maxWaitTimeInMs: 100,
    partitionAssigners: [PartitionAssigners.roundRobin], metadataMaxAge: 30000,
  });
  let held = [];
  const lose = (how) => {
    if (held.length) say(who, how, ...held);
    held = [];
    flush();
  };
  const { GROUP_JOIN, REBALANCING, CRASH, COMMIT_OFFSETS } = consumer.events;
  consumer.on(REBALANCING, () => lose('revoked'));
  consumer.on(CRASH, (e) => { say(who, 'error', e.payload.error); lose('lost'); });
  consumer.on(GROUP_JOIN, (e) => {
    lose('lost');
    held = e.payload.memberAssignment[topic] || [];
    say(who, 'assigned', ...held);
    flush();
  });
  consumer.on(COMMIT_OFFSETS, (e) => {
    for (const t of e.payload.topics) for (const p of t.partitions) say(who, 'committed', p.partition, p.offset);
    flush();
  });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  let [count, steps] = [0, 'steps' in spec];
  const step = (partition, offset) => {
    steps = false;
    consumer.pause([{ topic, partitions: [partition] }]);
    say(who, 'paused', partition);
    setTimeout(() => {
      if (!held.includes(partition)) return;
      say(who, 'resumed', partition);
      consumer.resume([{ topic, partitions: [partition] }]);
      const back = Math.max(0, offset - 5);
      consumer.seek({ topic, partition, offset: String(back) });
      say(who, 'seek', partition, back);
      flush();
    }, 1000);
  };
  const auto = spec.commit === 'auto';
  await consumer.run({
    autoCommit: auto,
    autoCommitInterval: 500,
    eachBatchAutoResolve: false,
    eachBatch: async ({ batch, resolveOffset, heartbeat, commitOffsetsIfNecessary, isRunning, isStale }) => {
      let last = null;
      for (const m of batch.messages) {
        if (!isRunning() || isStale()) break;
        say(who, 'saw', batch.partition, m.offset, m.value.toString());
        resolveOffset(m.offset);
        last = Number(m.offset);
        count += 1;
      }
      flush();
      await heartbeat();
      if (last === null) return;
      if (auto) await commitOffsetsIfNecessary();
      else if (!isStale()) {
        await consumer.commitOffsets([{ topic, partition: batch.partition, offset: String(last + 1) }]);
      }
      if (steps && count > 30 && held.includes(batch.partition)) step(batch.partition, last + 1);
    },
  });
  return async () => {
    await consumer.disconnect();
    say(who, 'closed');
    flush();
  };
}

async function main() {
  const own = specs.map((spec) => Object.fromEntries(spec.split(',').map((pair) => pair.split('='))));
  const closing = own.map(member);
  process.on('SIGTERM', async () => {
    for (const close of closing) await (await close)();
    process.exit(0);
  });
  await Promise.all(closing);
}

main().catch((error) => { process.stderr.write(`${error.stack}\n`); process.exit(1); });
