// kafkajs for exercise.js. Its consumer joins a group, so that what it fetches is read through the part beneath: the
// same cluster, requests, decoders and codecs, without the group.
'use strict';

const { CompressionCodecs, CompressionTypes, Kafka, Partitioners, logLevel } = require('kafkajs');
const Cluster = require('kafkajs/src/cluster');
const Batch = require('kafkajs/src/consumer/batch');
const { createErrorFromCode, failure } = require('kafkajs/src/protocol/error');
const createLogger = require('kafkajs/src/loggers').createLogger;
const socketFactory = require('kafkajs/src/network/socketFactory');
const lz4 = require('lz4js');
const { ZstdCodec } = require('zstd-codec');

const TYPES = {
  none: CompressionTypes.None, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4, zstd: CompressionTypes.ZSTD,
};

let linkedBlocks = false;

/** lz4js calls its blocks linked, which Kafka refuses. */
const linked = (plain) => Buffer.from(lz4.compress(plain));

/** The only block of a short frame is independent; its header is made to say so. */
function independent(plain) {
  const frame = linked(plain);
  if (frame[4] !== 0x40 || frame[5] !== 0x70) throw new Error('not the header that lz4js writes');
  frame[4] = 0x60;
  frame[6] = 0x73; // checksum of the two bytes before it
  return frame;
}

CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy');
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async (encoder) => (linkedBlocks ? linked : independent)(encoder.buffer),
  decompress: async (buffer) => Buffer.from(lz4.decompress(buffer)),
});

function learnZstd() {
  return new Promise((resolve) => ZstdCodec.run((zstd) => {
    const [simple, streaming] = [new zstd.Simple(), new zstd.Streaming()];
    CompressionCodecs[CompressionTypes.ZSTD] = () => ({
      compress: async (encoder) => Buffer.from(simple.compress(encoder.buffer)),
      // a broker that compresses does not write the length first, which the simple one wants
      decompress: async (buffer) => Buffer.from(streaming.decompress(buffer)),
    });
    resolve();
  }));
}

/** The broker's code in an error, or in one that it was wrapped in. */
function codeOf(error) {
  for (let e = error; e; e = e.cause || e.originalError || (e.errors && e.errors[0])) {
    if (typeof e.code === 'number') return e.code;
  }
  throw error;
}

class KafkaJs {
  constructor(bootstrap) {
    this.bootstrap = bootstrap;
    this.kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING, retry: { initialRetryTime: 50, retries: 8 } });
    // a refused deletion is tried again, without end in sight
    this.admin = this.kafka.admin({ retry: { initialRetryTime: 50, retries: 2 } });
    this.resets = false;
    this.linked = true;
  }

  async code(call) {
    try {
      return (await call()) === false ? 36 : 0;
    } catch (error) {
      return codeOf(error);
    }
  }

  create(topic, partitions, configs = {}) {
    const configEntries = Object.entries(configs).map(([key, value]) => ({ name: key, value }));
    // offsets() waits for the leaders: this call gives up when the first look is too early
    return this.code(() => this.admin.createTopics({
      waitForLeaders: false,
      topics: [{ topic, numPartitions: partitions, replicationFactor: 1, configEntries }] }));
  }

  delete(topic) {
    return this.code(() => this.admin.deleteTopics({ topics: [topic] }));
  }

  grow(topic, count) {
    return this.code(() => this.admin.createPartitions({ topicPartitions: [{ topic, count }] }));
  }

  async partitionCount(topic) {
    // by the list: its Metadata request for a topic would make it
    const all = await this.admin.listTopics();
    if (!all.includes(topic)) return 3;
    try {
      const { topics } = await this.admin.fetchTopicMetadata({ topics: [topic] });
      return topics[0].partitions.length;
    } catch (error) {
      return codeOf(error); // it is going, or coming
    }
  }

  async producer(metadataMaxAge, idempotent = false) {
    const producer = this.kafka.producer({ metadataMaxAge, idempotent, createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
    return producer;
  }

  async produce(topic, records, { acks = -1, codec = 'none', idempotent = false, linked: l = false } = {}) {
    linkedBlocks = l;
    const producer = await this.producer(300000, idempotent);
    const offsets = await this.send(producer, topic, records, acks, codec);
    await producer.disconnect();
    return offsets;
  }

  /** All records in one batch: the offset of each, or the error of the batch. */
  async send(producer, topic, records, acks = -1, codec = 'none') {
    const messages = records.map((r) => ({
      key: r.k, value: r.v, partition: r.p, timestamp: String(r.t), headers: Object.fromEntries(r.h) }));
    try {
      const [done] = await producer.send({ topic, messages, acks, compression: TYPES[codec] });
      return records.map((_, i) => (done ? Number(done.baseOffset) + i : -1));
    } catch (error) {
      return [`error ${codeOf(error)}`];
    }
  }

  async spread(topic, keys) {
    const producer = await this.producer(300000);
    const placed = [];
    for (const key of keys) placed.push((await producer.send({ topic, messages: [{ key, value: key }] }))[0].partition);
    await producer.disconnect();
    return placed;
  }

  async offsets(topic, times) {
    const [{ low, high }] = await this.patiently(() => this.admin.fetchTopicOffsets(topic));
    const found = [];
    // this gives the end where nothing is found
    for (const time of times) found.push(Number((await this.admin.fetchTopicOffsetsByTimestamp(topic, time))[0].offset));
    return [Number(low), Number(high), found];
  }

  /** A new topic may want a moment. */
  async patiently(call) {
    const deadline = Date.now() + 30000;
    for (;;) {
      try {
        return await call();
      } catch (error) {
        if (![3, 5, 6].includes(codeOf(error)) || Date.now() > deadline) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async cluster(topic, committed) {
    const cluster = new Cluster({
      logger: createLogger({ level: logLevel.NOTHING, logCreator: () => () => {} }), brokers: [this.bootstrap],
      socketFactory: socketFactory(), clientId: 'reader', connectionTimeout: 5000, requestTimeout: 30000,
      enforceRequestTimeout: true, metadataMaxAge: 300, allowAutoTopicCreation: false, isolationLevel: committed ? 1 : 0 });
    await cluster.connect();
    await cluster.addTargetTopic(topic);
    return cluster;
  }

  async fetch(cluster, topic, partition, offset, { committed = false, limits = false, wait = 100 } = {}) {
    const broker = await cluster.findBroker({ nodeId: Object.keys(cluster.findLeaderForPartitions(topic, [partition]))[0] });
    const asked = { partition, fetchOffset: String(offset), maxBytes: limits ? 100 : 1048576, currentLeaderEpoch: -1 };
    const { responses } = await broker.fetch({
      isolationLevel: committed ? 1 : 0, maxWaitTime: wait, minBytes: 1, maxBytes: limits ? 100 : 10485760,
      topics: [{ topic, partitions: [asked] }] });
    const answer = responses[0].partitions[0];
    if (failure(answer.errorCode)) throw createErrorFromCode(answer.errorCode);
    return new Batch(topic, String(offset), answer).messages.map((m) => this.record(partition, m));
  }

  record(partition, m) {
    const headers = Object.entries(m.headers).flatMap(([key, value]) => [].concat(value).map((one) => [key, one]));
    return { p: partition, o: Number(m.offset), t: Number(m.timestamp), k: m.key, v: m.value, h: headers };
  }

  async read(topic, { start = null, partitions = 1, ...how } = {}) {
    const cluster = await this.cluster(topic, how.committed);
    const ends = await this.admin.fetchTopicOffsets(topic);
    const got = [];
    try {
      for (let p = 0; p < partitions; p++) {
        const { low, high } = ends.find(({ partition }) => partition === p);
        let next = start === null ? Number(low) : start;
        while (next < Number(high) || start !== null && got.length === 0) {
          const some = await this.fetch(cluster, topic, p, next, how);
          got.push(...some);
          if (some.length) next = some[some.length - 1].o + 1;
        }
      }
      return got;
    } catch (error) {
      return `error ${codeOf(error)}`;
    } finally {
      await cluster.disconnect();
    }
  }

  async waitAndRead(topic, ready) {
    const cluster = await this.cluster(topic);
    const [{ high }] = await this.admin.fetchTopicOffsets(topic);
    const fetched = this.fetch(cluster, topic, 0, high, { wait: 20000 });
    await this.fetch(await this.cluster(topic), topic, 0, high, { wait: 500 });
    await ready();
    return fetched;
  }

  /** A reader that lives on, for take(). */
  async follow(topic) {
    return { cluster: await this.cluster(topic), next: [], disconnect() { return this.cluster.disconnect(); } };
  }

  async take(follower, topic, partitions, count) {
    const got = [];
    const deadline = Date.now() + 60000;
    while (got.length < count && Date.now() < deadline) {
      await follower.cluster.refreshMetadataIfNecessary();
      for (let p = 0; p < partitions; p++) {
        try {
          const some = await this.fetch(follower.cluster, topic, p, follower.next[p] || 0);
          got.push(...some);
          if (some.length) follower.next[p] = some[some.length - 1].o + 1;
        } catch (error) {
          if (codeOf(error) !== 1) throw error;
          follower.next[p] = 0; // the topic is another one now
        }
      }
    }
    return got;
  }

  close(client) {
    return client.disconnect();
  }
}

module.exports.connect = async (bootstrap) => {
  await learnZstd();
  const client = new KafkaJs(bootstrap);
  await client.admin.connect();
  return client;
};
