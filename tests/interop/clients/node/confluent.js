// @confluentinc/kafka-javascript for exercise.js: librdkafka, through the binding's own interface, which can assign
// partitions without joining a group.
'use strict';

const { AdminClient, KafkaConsumer, Producer } = require('@confluentinc/kafka-javascript');

const EARLIEST = -2;
const LATEST = -1;

/** A call that ends by a callback of an error and a result. */
const later = (call) => new Promise((resolve, reject) => {
  call((error, result) => (error ? reject(error) : resolve(result)));
});

class Confluent {
  constructor(bootstrap) {
    this.bootstrap = bootstrap;
    this.resets = true;
    this.linked = false;
  }

  async connect() {
    this.admin = AdminClient.create({ 'bootstrap.servers': this.bootstrap });
    this.prober = await this.consumer({});
    return this;
  }

  async code(call) {
    try {
      await later(call);
      return 0;
    } catch (error) {
      return error.code;
    }
  }

  create(topic, partitions, config = {}) {
    return this.code((done) => this.admin.createTopic(
      { topic, num_partitions: partitions, replication_factor: 1, config }, 30000, done));
  }

  delete(topic) {
    return this.code((done) => this.admin.deleteTopic(topic, 30000, done));
  }

  grow(topic, count) {
    return this.code((done) => this.admin.createPartitions(topic, count, 30000, done));
  }

  async partitionCount(topic) {
    const found = await later((done) => this.prober.getMetadata({ allTopics: true, timeout: 30000 }, done));
    const one = found.topics.find(({ name }) => name === topic);
    return one ? one.partitions.length : 3;
  }

  async connected(client) {
    client.on('event.error', () => {});
    await later((done) => client.connect({}, done));
    return client;
  }

  async producer(refresh, settings = {}) {
    const producer = await this.connected(new Producer({
      'bootstrap.servers': this.bootstrap, dr_cb: true, 'linger.ms': 5, 'topic.metadata.refresh.interval.ms': refresh,
      'delivery.timeout.ms': 10000, ...settings }));
    producer.on('delivery-report', (error, report) => report.opaque(error, report));
    producer.setPollInterval(5);
    return producer;
  }

  async produce(topic, records, { acks = -1, codec = 'none', idempotent = false, maxRequest = 1000000 } = {}) {
    const producer = await this.producer(300000, {
      acks, 'compression.type': codec, 'enable.idempotence': idempotent, 'message.max.bytes': maxRequest });
    const offsets = await this.send(producer, topic, records);
    await this.close(producer);
    return offsets;
  }

  send(producer, topic, records) {
    return Promise.all(records.map((r) => this.one(producer, topic, r)));
  }

  one(producer, topic, r) {
    return new Promise((resolve) => {
      const done = (error, report) => {
        const offset = report.offset === undefined || report.offset === null || report.offset < 0 ? -1 : report.offset;
        resolve(error ? `error ${error.code}` : offset);
      };
      try {
        producer.produce(topic, r.p, r.v, r.k, r.t, done, r.h.map(([key, value]) => ({ [key]: value })));
      } catch (error) {
        resolve(`error ${error.code}`);
      }
    });
  }

  async spread(topic, keys) {
    const producer = await this.producer(300000);
    const placed = await Promise.all(keys.map((key) => new Promise((resolve) => {
      producer.produce(topic, null, key, key, null, (error, report) => resolve(error ? `error ${error.code}` : report.partition));
    })));
    await this.close(producer);
    return placed;
  }

  async offsets(topic, times) {
    const ends = await this.patiently(() => later((done) => this.prober.queryWatermarkOffsets(topic, 0, 30000, done)));
    const found = [];
    for (const time of times) {
      const asked = [{ topic, partition: 0, offset: time }];
      found.push((await this.patiently(() => later((done) => this.prober.offsetsForTimes(asked, 30000, done))))[0].offset);
    }
    return [ends.lowOffset, ends.highOffset, found];
  }

  /** This call does not ask again by itself, and a new topic may want a moment. */
  async patiently(call) {
    const deadline = Date.now() + 120000; // librdkafka believes for 30 s that it is not there
    for (;;) {
      try {
        return await call();
      } catch (error) {
        if (![3, 6, -188, -190].includes(error.code) || Date.now() > deadline) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async consumer(settings, reset = 'error') {
    // group.id is demanded by the client; nothing is committed and nothing is joined
    const consumer = await this.connected(new KafkaConsumer({
      'bootstrap.servers': this.bootstrap, 'group.id': 'assigned', 'enable.auto.commit': false, 'fetch.wait.max.ms': 20,
      'enable.partition.eof': true, log_level: 0, ...settings }, { 'auto.offset.reset': reset }));
    consumer.setDefaultConsumeTimeout(100);
    consumer.ends = [];
    consumer.on('partition.eof', (end) => consumer.ends.push(end));
    return consumer;
  }

  record(m) {
    const headers = (m.headers || []).flatMap((one) => Object.entries(one).map(([key, value]) => [key, Buffer.from(value)]));
    return { p: m.partition, o: m.offset, t: m.timestamp, k: m.key, v: m.value, h: headers };
  }

  async some(consumer) {
    return (await later((done) => consumer.consume(1000, done))).map((m) => this.record(m));
  }

  async read(topic, { start = EARLIEST, partitions = 1, reset = 'error', committed = false, limits = false } = {}) {
    const small = limits ? { 'fetch.max.bytes': 1000, 'max.partition.fetch.bytes': 100, 'message.max.bytes': 1000 } : {};
    const c = await this.consumer({ 'isolation.level': committed ? 'read_committed' : 'read_uncommitted', ...small }, reset);
    c.assign(Array.from({ length: partitions }, (_, partition) => ({ topic, partition, offset: start })));
    const got = [];
    const deadline = Date.now() + 60000;
    try {
      while (new Set(c.ends.map(({ partition }) => partition)).size < partitions) {
        if (Date.now() > deadline) throw new Error(`${topic}: read ${got.length} records`);
        got.push(...(await this.some(c)));
      }
    } catch (error) {
      return `error ${error.code}`;
    } finally {
      await this.close(c);
    }
    return reset === 'latest' ? c.ends[0].offset : got.sort((a, b) => a.p - b.p || a.o - b.o);
  }

  async waitAndRead(topic, ready) {
    const c = await this.consumer({ 'fetch.wait.max.ms': 6000 });
    c.assign([{ topic, partition: 0, offset: LATEST }]);
    while (c.ends.length === 0) await this.some(c);
    await ready();
    for (;;) {
      const got = await this.some(c);
      if (got.length === 0) continue;
      await this.close(c);
      return got;
    }
  }

  /** A consumer that lives on, for take(). */
  async follow(topic) {
    const c = await this.consumer({ 'topic.metadata.refresh.interval.ms': 300 }, 'earliest');
    c.assign([{ topic, partition: 0, offset: EARLIEST }]);
    return c;
  }

  async take(consumer, topic, partitions, count) {
    const known = consumer.assignments().length;
    const more = Array.from({ length: partitions - known }, (_, i) => ({ topic, partition: known + i, offset: EARLIEST }));
    if (more.length) consumer.incrementalAssign(more);
    const got = [];
    const deadline = Date.now() + 60000;
    while (got.length < count && Date.now() < deadline) {
      try {
        got.push(...(await this.some(consumer)));
      } catch (error) { // told once of a partition that it has not heard of yet, or no longer
        if (![3, 100, -188, -190].includes(error.code)) throw error;
      }
    }
    return got;
  }

  close(client) {
    return later((done) => client.disconnect(done));
  }
}

module.exports.connect = (bootstrap) => new Confluent(bootstrap).connect();
