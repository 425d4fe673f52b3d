"""aiokafka for exercise.py: an event loop in a thread of its own, and calls that wait for it."""

import asyncio
import contextlib
import threading
import time

import aiokafka
import aiokafka.admin
import aiokafka.errors


class AioKafka:
    sends_nulls = False  # it wants a key or a value
    follows_deletion = True

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.admin = self._wait(self._started(lambda: aiokafka.admin.AIOKafkaAdminClient(bootstrap_servers=bootstrap)))

    def _wait(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(120)

    @staticmethod
    async def _started(make):
        client = make()
        await client.start()
        return client

    # administration: it hands out the answers themselves, and raises only those of CreatePartitions

    def create(self, topic, partitions, configs=None):
        new = aiokafka.admin.NewTopic(topic, partitions, 1, topic_configs=configs or {})
        return self._wait(self.admin.create_topics([new])).topic_errors[0][1]

    def delete(self, topic):
        return self._wait(self.admin.delete_topics([topic])).topic_error_codes[0][1]

    def grow(self, topic, count):
        try:
            self._wait(self.admin.create_partitions({topic: aiokafka.admin.NewPartitions(count)}))
            return 0
        except aiokafka.errors.KafkaError as error:
            return error.errno

    def partition_count(self, topic):
        # by the list of all: it may make a topic that it asks for
        found = [t for t in self._wait(self.admin.describe_topics()) if t["topic"] == topic]
        return len(found[0]["partitions"]) if found else 3

    # producing

    def _producer(self, **settings):
        return self._wait(self._started(
            lambda: aiokafka.AIOKafkaProducer(bootstrap_servers=self.bootstrap, **settings)))

    def produce(self, topic, records, acks="all", codec="none", idempotent=False, max_request=1048576):
        p = self._producer(
            acks=acks, enable_idempotence=idempotent, max_request_size=max_request,
            compression_type=None if codec == "none" else codec, linger_ms=5)
        result = self.send(p, topic, records)
        self._wait(p.stop())
        return result

    def producer(self, refresh_ms):
        """One that lives on, for send()."""
        return self._producer(metadata_max_age_ms=refresh_ms, request_timeout_ms=5000)

    def send(self, producer, topic, records):
        return self._wait(self._send(producer, topic, records))

    async def _send(self, producer, topic, records):
        sent = []
        for r in records:
            try:
                sent.append(await producer.send(
                    topic, value=r["v"], key=r["k"], headers=r["h"], partition=r["p"], timestamp_ms=r["t"]))
            except (aiokafka.errors.KafkaError, ValueError, AssertionError) as error:
                sent.append("error %s" % getattr(error, "errno", None))
        return [await self._outcome(future) if asyncio.isfuture(future) else future for future in sent]

    @staticmethod
    async def _outcome(future):
        try:
            done = await future
            return done.offset if done is not None else -1
        except aiokafka.errors.KafkaError as error:
            return "error %d" % error.errno

    def spread(self, topic, keys):
        p = self._producer()

        async def send():
            futures = [await p.send(topic, key=k, value=k) for k in keys]
            return [(await future).partition for future in futures]

        placed = self._wait(send())
        self._wait(p.stop())
        return placed

    # consuming

    def _consumer(self, **settings):
        return self._wait(self._started(lambda: aiokafka.AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap, enable_auto_commit=False, **settings)))

    @contextlib.contextmanager
    def _closing(self, consumer):
        try:
            yield consumer
        finally:
            self._wait(consumer.stop())

    def read(self, topic, start=None, partitions=(0,), reset="none", isolation="read_uncommitted", limits=False,
             count=None):
        settings = {"fetch_max_bytes": 100, "max_partition_fetch_bytes": 100} if limits else {}
        tps = [aiokafka.TopicPartition(topic, p) for p in partitions]
        with self._closing(self._consumer(auto_offset_reset=reset, isolation_level=isolation, **settings)) as c:
            return self._wait(self._read(c, tps, start, reset, count))

    async def _read(self, c, tps, start, reset, count):
        c.assign(tps)
        ends = await c.end_offsets(tps)
        for tp in tps:
            await c.seek_to_beginning(tp) if start is None else c.seek(tp, start)
        got, deadline = [], time.monotonic() + 60
        try:
            while [True for tp in tps if await c.position(tp) < ends[tp]] or start is not None and not got:
                if time.monotonic() > deadline:
                    raise TimeoutError("%s: read %d records" % (tps, len(got)))
                for some in (await c.getmany(timeout_ms=500)).values():
                    got.extend(some)
                if count and len(got) >= count or reset == "latest" and await c.position(tps[0]) == ends[tps[0]]:
                    break
            if reset == "latest":
                return await c.position(tps[0])
        except aiokafka.errors.OffsetOutOfRangeError:
            return "error 1"
        return self._sorted(got)

    @staticmethod
    def _sorted(got):
        got = [
            {"p": r.partition, "o": r.offset, "t": r.timestamp, "type": r.timestamp_type, "k": r.key, "v": r.value,
             "h": list(r.headers or [])}
            for r in got]
        return sorted(got, key=lambda r: (r["p"], r["o"]))

    def offsets(self, topic, times):
        tp = aiokafka.TopicPartition(topic, 0)
        with self._closing(self._consumer()) as c:
            begin, end = self._wait(c.beginning_offsets([tp]))[tp], self._wait(c.end_offsets([tp]))[tp]
            found = [self._wait(c.offsets_for_times({tp: t}))[tp] for t in times]
            return begin, end, [None if f is None else [f.offset, f.timestamp] for f in found]

    def follow(self, topic, refresh_ms=300000):
        """A consumer that lives on, for known() and take()."""
        c = self._consumer(auto_offset_reset="earliest", metadata_max_age_ms=refresh_ms)
        self._wait(self._assign(c, topic, 1))
        return c

    @staticmethod
    async def _assign(consumer, topic, partitions):
        consumer.assign([aiokafka.TopicPartition(topic, p) for p in range(partitions)])

    def known(self, consumer, topic):
        return len(consumer.partitions_for_topic(topic) or [])

    def take(self, consumer, topic, partitions, count):
        if len(consumer.assignment()) != partitions:
            # a new assignment forgets where it was; the old partition goes on at its end
            at = self._wait(consumer.position(aiokafka.TopicPartition(topic, 0)))
            self._wait(self._assign(consumer, topic, partitions))
            consumer.seek(aiokafka.TopicPartition(topic, 0), at)
        return self._sorted(self._wait(self._take(consumer, count)))

    @staticmethod
    async def _take(consumer, count):
        got, deadline = [], time.monotonic() + 60
        while len(got) < count and time.monotonic() < deadline:
            for some in (await consumer.getmany(timeout_ms=500)).values():
                got.extend(some)
        return got

    def wait_and_read(self, topic, ready):
        tp = aiokafka.TopicPartition(topic, 0)
        with self._closing(self._consumer(fetch_max_wait_ms=6000, auto_offset_reset="latest")) as c:
            self._wait(self._assign(c, topic, 1))
            self._wait(c.seek_to_end(tp))
            self._wait(c.position(tp))
            self._wait(c.getmany(timeout_ms=1000))
            ready()
            return self._sorted(self._wait(self._take(c, 1)))
