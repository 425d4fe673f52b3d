"""What a Python client sees of a broker, as one JSON document: exercise.py kafka-python|confluent|aiokafka BOOTSTRAP PREFIX

Every step makes topics of its own, named PREFIX-something. All that the document holds is determined by this program
and by the protocol (timestamps are given, offsets follow), so that the documents of two brokers are equal. Errors are
Kafka's codes. Exercise.java takes the same steps with the Java client.
"""

import hashlib
import json
import sys
import threading
import time

BASE = 1_700_000_000_000
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def record(key, value, timestamp=BASE, headers=(), partition=0):
    return {"k": key, "v": value, "t": timestamp, "h": list(headers), "p": partition}


def numbered(count, first=0):
    return [record(b"k%d" % i, b"v%d" % i, BASE + i * 1000) for i in range(first, first + count)]


def text(data):
    if data is None:
        return None
    if len(data) <= 64:
        return data.decode("latin-1")
    return "%d bytes %s" % (len(data), hashlib.sha256(data).hexdigest()[:16])


def shown(r):
    headers = [[k, text(v)] for k, v in r["h"]]
    return {"p": r["p"], "o": r["o"], "t": r["t"], "type": r["type"], "k": text(r["k"]), "v": text(r["v"]), "h": headers}


def digest(records):
    """Of many records: how many, and a sum over all that was seen of each."""
    lines = []
    for r in records:
        headers = ",".join("%s=%s" % (k, text(v)) for k, v in r["h"])
        lines.append("%d|%d|%d|%d|%s|%s|%s\n" % (r["p"], r["o"], r["t"], r["type"], text(r["k"]), text(r["v"]), headers))
    return {"count": len(records), "sum": hashlib.sha256("".join(lines).encode("utf-8")).hexdigest()[:16]}


class KafkaPython:
    sends_nulls = False  # it wants a key or a value, and no null in a header
    follows_deletion = False  # it gets nothing of a topic made again, from Apache Kafka neither

    def __init__(self, bootstrap):
        import kafka

        self.kafka = kafka
        self.bootstrap = bootstrap
        self.admin = kafka.KafkaAdminClient(bootstrap_servers=bootstrap)

    def _code(self, call):
        try:
            call()
            return 0
        except self.kafka.errors.KafkaError as error:
            return error.errno

    def create(self, topic, partitions, configs=None):
        new = {topic: {"num_partitions": partitions, "replication_factor": 1, "configs": configs or {}}}
        return self._code(lambda: self.admin.create_topics(new))

    def delete(self, topic):
        return self._code(lambda: self.admin.delete_topics([topic]))

    def grow(self, topic, count):
        return self._code(lambda: self.admin.create_partitions({topic: count}))

    def partition_count(self, topic):
        with self._consumer(allow_auto_create_topics=False) as c:
            found = c.partitions_for_topic(topic)
            return len(found) if found else 3

    def produce(self, topic, records, acks="all", codec="none", idempotent=False, max_request=1048576):
        p = self.kafka.KafkaProducer(
            bootstrap_servers=self.bootstrap, acks=acks, enable_idempotence=idempotent, max_request_size=max_request,
            compression_type=None if codec == "none" else codec, linger_ms=5)
        result = self.send(p, topic, records)
        p.close()
        return result

    def producer(self, refresh_ms):
        """One that lives on, for send()."""
        return self.kafka.KafkaProducer(
            bootstrap_servers=self.bootstrap, enable_idempotence=False, metadata_max_age_ms=refresh_ms,
            request_timeout_ms=5000, delivery_timeout_ms=10000, max_block_ms=10000)

    def send(self, producer, topic, records):
        result = []
        for r in records:
            try:
                result.append(producer.send(
                    topic, value=r["v"], key=r["k"], headers=r["h"], partition=r["p"], timestamp_ms=r["t"]))
            except (self.kafka.errors.KafkaError, ValueError):
                result.append(None)  # it does not know the partition
        producer.flush()
        return [self._outcome(future) for future in result]

    def _outcome(self, future):
        if future is None:
            return "not sent"
        try:
            return future.get(timeout=60).offset
        except self.kafka.errors.KafkaError as error:
            return "error %d" % error.errno

    def follow(self, topic, refresh_ms=300000):
        """A consumer that lives on, for known() and take(); it reads nothing yet."""
        c = self.kafka.KafkaConsumer(
            bootstrap_servers=self.bootstrap, enable_auto_commit=False, auto_offset_reset="earliest",
            metadata_max_age_ms=refresh_ms, allow_auto_create_topics=False)
        c.assign([self.kafka.TopicPartition(topic, 0)])
        return c

    def known(self, consumer, topic):
        consumer.poll(timeout_ms=100)
        return len(consumer._client.cluster.partitions_for_topic(topic) or [])

    def take(self, consumer, topic, partitions, count):
        if len(consumer.assignment()) != partitions:
            consumer.assign([self.kafka.TopicPartition(topic, p) for p in range(partitions)])
        got, deadline = [], time.monotonic() + 60
        while len(got) < count and time.monotonic() < deadline:
            for some in consumer.poll(timeout_ms=500).values():
                got.extend(some)
        return self._sorted(got)

    def _consumer(self, **settings):
        c = self.kafka.KafkaConsumer(bootstrap_servers=self.bootstrap, enable_auto_commit=False, **settings)
        import contextlib

        return contextlib.closing(c)

    def read(self, topic, start=None, partitions=(0,), reset="none", isolation="read_uncommitted", limits=False,
             count=None):
        settings = {"fetch_max_bytes": 100, "max_partition_fetch_bytes": 100} if limits else {}
        tps = [self.kafka.TopicPartition(topic, p) for p in partitions]
        reset = {"none": "none", "earliest": "earliest", "latest": "latest"}[reset]
        with self._consumer(auto_offset_reset=reset, isolation_level=isolation, **settings) as c:
            c.assign(tps)
            ends = c.end_offsets(tps)
            for tp in tps:
                c.seek_to_beginning(tp) if start is None else c.seek(tp, start)
            got = []
            deadline = time.monotonic() + 60
            try:
                while any(c.position(tp) < ends[tp] for tp in tps) or start is not None and not got:
                    if time.monotonic() > deadline:
                        raise TimeoutError("%s: read %d records" % (topic, len(got)))
                    for some in c.poll(timeout_ms=500).values():
                        got.extend(some)
                    if count and len(got) >= count or reset == "latest":
                        break
                if reset == "latest":
                    return c.position(tps[0])
            except self.kafka.errors.OffsetOutOfRangeError as error:
                return "error %d" % error.errno
        return self._sorted(got)

    @staticmethod
    def _sorted(got):
        got = [
            {"p": r.partition, "o": r.offset, "t": r.timestamp, "type": r.timestamp_type, "k": r.key, "v": r.value,
             "h": list(r.headers or [])}
            for r in got]
        return sorted(got, key=lambda r: (r["p"], r["o"]))

    def spread(self, topic, keys):
        p = self.kafka.KafkaProducer(bootstrap_servers=self.bootstrap)
        futures = [p.send(topic, key=k, value=k) for k in keys]
        p.flush()
        placed = [f.get(timeout=60).partition for f in futures]
        p.close()
        return placed

    def offsets(self, topic, times):
        tp = self.kafka.TopicPartition(topic, 0)
        with self._consumer() as c:
            begin, end = c.beginning_offsets([tp])[tp], c.end_offsets([tp])[tp]
            found = [c.offsets_for_times({tp: t})[tp] for t in times]
            return begin, end, [None if f is None else [f.offset, f.timestamp] for f in found]

    def wait_and_read(self, topic, ready):
        tp = self.kafka.TopicPartition(topic, 0)
        with self._consumer(fetch_max_wait_ms=6000, auto_offset_reset="latest", request_timeout_ms=40000) as c:
            c.assign([tp])
            c.seek_to_end(tp)
            c.position(tp)
            c.poll(timeout_ms=1000)
            ready()
            while True:
                got = c.poll(timeout_ms=20000)
                if got:
                    return self._sorted([r for some in got.values() for r in some])


class Confluent:
    sends_nulls = True
    follows_deletion = True

    def __init__(self, bootstrap):
        import confluent_kafka
        import confluent_kafka.admin

        self.ck = confluent_kafka
        self.bootstrap = bootstrap
        self.admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": bootstrap})

    def _code(self, futures):
        try:
            for future in futures.values():
                future.result(60)
            return 0
        except self.ck.KafkaException as error:
            return error.args[0].code()

    def create(self, topic, partitions, configs=None):
        new = self.ck.admin.NewTopic(topic, num_partitions=partitions, replication_factor=1, config=configs or {})
        return self._code(self.admin.create_topics([new]))

    def delete(self, topic):
        return self._code(self.admin.delete_topics([topic]))

    def grow(self, topic, count):
        return self._code(self.admin.create_partitions([self.ck.admin.NewPartitions(topic, count)]))

    def partition_count(self, topic):
        found = self._consumer().list_topics(topic, timeout=30).topics[topic]
        return found.error.code() if found.error else len(found.partitions)

    def produce(self, topic, records, acks="all", codec="none", idempotent=False, max_request=1000000):
        p = self.ck.Producer({
            "bootstrap.servers": self.bootstrap, "acks": str(acks), "enable.idempotence": idempotent,
            "message.max.bytes": max_request, "compression.type": codec, "linger.ms": 5})
        return self.send(p, topic, records)

    def producer(self, refresh_ms):
        """One that lives on, for send()."""
        return self.ck.Producer({
            "bootstrap.servers": self.bootstrap, "linger.ms": 5, "delivery.timeout.ms": 10000,
            "topic.metadata.refresh.interval.ms": refresh_ms})

    def send(self, producer, topic, records):
        result = [None] * len(records)

        def done(i):
            def report(error, message):
                offset = message.offset() if message else None
                offset = -1 if offset is None or offset < 0 else offset
                result[i] = "error %d" % error.code() if error else offset
            return report

        for i, r in enumerate(records):
            try:
                producer.produce(topic, r["v"], r["k"], r["p"], on_delivery=done(i), timestamp=r["t"], headers=r["h"])
            except self.ck.KafkaException as error:
                result[i] = "error %d" % error.args[0].code()
            producer.poll(0)
        assert producer.flush(60) == 0, "messages are still queued"
        return result

    def follow(self, topic, refresh_ms=300000):
        """A consumer that lives on, for known() and take()."""
        c = self._consumer(auto_offset_reset="earliest", topic_metadata_refresh_interval_ms=refresh_ms)
        c.assign([self.ck.TopicPartition(topic, 0, self.ck.OFFSET_BEGINNING)])
        return c

    def known(self, consumer, topic):
        return len(consumer.list_topics(topic, timeout=30).topics[topic].partitions)

    def take(self, consumer, topic, partitions, count):
        more = range(len(consumer.assignment()), partitions)
        if more:
            consumer.incremental_assign([self.ck.TopicPartition(topic, p, self.ck.OFFSET_BEGINNING) for p in more])
        got, deadline = [], time.monotonic() + 60
        while len(got) < count and time.monotonic() < deadline:
            m = consumer.poll(0.5)
            if m is not None and m.error() is None:
                got.append(m)
        return self._sorted(got)

    def _consumer(self, **settings):
        # group.id is demanded by the client; nothing is committed and nothing is joined
        fixed = {"bootstrap.servers": self.bootstrap, "group.id": "assigned", "enable.auto.commit": False,
                 "fetch.wait.max.ms": 20, "log_level": 0}
        return self.ck.Consumer({**fixed, **{k.replace("_", "."): v for k, v in settings.items()}})

    def read(self, topic, start=None, partitions=(0,), reset="none", isolation="read_uncommitted", limits=False,
             count=None):
        settings = {"fetch_max_bytes": 1000, "max_partition_fetch_bytes": 100, "message_max_bytes": 1000} if limits else {}
        reset = {"none": "error", "earliest": "earliest", "latest": "latest"}[reset]
        c = self._consumer(auto_offset_reset=reset, isolation_level=isolation, enable_partition_eof=True, **settings)
        first = self.ck.OFFSET_BEGINNING if start is None else start
        c.assign([self.ck.TopicPartition(topic, p, first) for p in partitions])
        got, open_partitions, deadline = [], set(partitions), time.monotonic() + 60
        while open_partitions:
            if time.monotonic() > deadline:
                raise TimeoutError("%s: read %d records" % (topic, len(got)))
            m = c.poll(0.5)
            if m is None:
                continue
            if m.error() is None:
                got.append(m)
            elif m.error().code() == self.ck.KafkaError._PARTITION_EOF:
                if reset == "latest":
                    return m.offset()
                open_partitions.discard(m.partition())
            elif m.topic() == topic:
                return "error %d" % m.error().code()
            if count and len(got) >= count:
                break
        c.close()
        return self._sorted(got)

    @staticmethod
    def _sorted(got):
        got = [
            {"p": m.partition(), "o": m.offset(), "t": m.timestamp()[1], "type": m.timestamp()[0] - 1, "k": m.key(),
             "v": m.value(), "h": m.headers() or []}
            for m in got]
        return sorted(got, key=lambda r: (r["p"], r["o"]))

    def spread(self, topic, keys):
        p = self.ck.Producer({"bootstrap.servers": self.bootstrap})
        placed = [None] * len(keys)

        def done(i):
            def report(error, message):
                placed[i] = "error %d" % error.code() if error else message.partition()
            return report

        for i, k in enumerate(keys):
            p.produce(topic, k, k, on_delivery=done(i))
        p.flush(60)
        return placed

    def offsets(self, topic, times):
        c = self._consumer()
        begin, end = self._watermarks(c, topic)
        found = [c.offsets_for_times([self.ck.TopicPartition(topic, 0, t)], timeout=30)[0].offset for t in times]
        c.close()
        return begin, end, found

    def _watermarks(self, consumer, topic):
        deadline = time.monotonic() + 120
        while True:  # this call does not ask again by itself, and a new topic may want a moment
            try:
                return consumer.get_watermark_offsets(self.ck.TopicPartition(topic, 0), timeout=30)
            except self.ck.KafkaException as error:
                if error.args[0].code() not in (3, 6, -188, -190) or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def wait_and_read(self, topic, ready):
        c = self._consumer(fetch_wait_max_ms=6000, auto_offset_reset="latest", enable_partition_eof=True)
        c.assign([self.ck.TopicPartition(topic, 0, self.ck.OFFSET_END)])
        while True:
            m = c.poll(30)
            assert m is not None, "nothing came"
            if m.error() is None:
                c.close()
                return self._sorted([m])
            if m.error().code() == self.ck.KafkaError._PARTITION_EOF:
                ready()


def steps(client, prefix):
    """Each step: its name and what it saw."""
    def topic(name, partitions=1, configs=None):
        name = "%s-%s" % (prefix, name)
        code = client.create(name, partitions, configs)
        assert code == 0, "creating %s: %s" % (name, code)
        client.offsets(name, [])
        return name

    for acks in [0, 1, "all"]:
        t = topic("acks-%s" % acks)
        offsets = client.produce(t, numbered(50), acks=acks)
        wait_for_end(client, t, 50)
        yield "acks %s" % acks, [offsets[0], offsets[-1], digest(client.read(t))]

    t = topic("shapes")
    shapes = [
        record(None, b"only a value"),
        record(b"only a key", None),
        record(b"", b""),
        record(b"key", b"value", BASE + 5, [("a", b"1"), ("a", b"2"), ("empty", b"")]),
        record(b"\x00\xff", b"\xfe\x01", 1),
    ]
    if client.sends_nulls:
        shapes += [record(None, None), record(None, b"", BASE, [("null", None)])]
    client.produce(t, shapes)
    yield "shapes", [shown(r) for r in client.read(t)]

    t = topic("megabyte")
    megabyte = bytes((i * 31 + (i >> 8)) & 255 for i in range(999_000))
    offsets = client.produce(t, [record(b"big", megabyte)] * 3)
    yield "records of a megabyte", [offsets, digest(client.read(t))]
    offsets = client.produce(t, [record(b"big", megabyte + megabyte)], max_request=5_000_000)
    yield "too large", [offsets, client.offsets(t, [])[1]]

    t = topic("small-limit", configs={"max.message.bytes": "1000"})
    yield "too large for the topic", [client.produce(t, [record(b"k", megabyte[:1200])]), client.produce(t, [record(b"k", b"v")])]

    for codec in CODECS:
        t = topic("codec-%s" % codec)
        client.produce(t, numbered(300), codec=codec)
        yield "codec %s" % codec, digest(client.read(t))
    t = topic("recompressed", configs={"compression.type": "zstd"})
    client.produce(t, numbered(300), codec="gzip")
    yield "recompressed by the broker", digest(client.read(t))

    t = topic("spread", 6)
    placed = client.spread(t, [b"key-%d" % i for i in range(48)])
    seen = client.read(t, partitions=range(6))
    yield "keys spread over partitions", [placed, sorted((r["p"], text(r["k"])) for r in seen)]

    t = topic("seek")
    for first in [0, 30, 31, 70]:
        client.produce(t, numbered({0: 30, 30: 1, 31: 39, 70: 30}[first], first))
    asked = [BASE - 1, BASE, BASE + 40_000, BASE + 40_500, BASE + 99_000, BASE + 99_001]
    yield "offsets", client.offsets(t, asked)
    yield "all after seeking to the beginning", digest(client.read(t))
    yield "seeking into a batch", [shown(r) for r in client.read(t, start=37, count=1)[:1]]
    yield "the rest from there", digest(client.read(t, start=37))
    yield "read committed", digest(client.read(t, isolation="read_committed"))
    yield "offset out of range", client.read(t, start=100_000)
    yield "offset out of range, reset to earliest", digest(client.read(t, start=100_000, reset="earliest"))
    yield "offset out of range, reset to latest", client.read(t, start=100_000, reset="latest")

    yield "unknown topic", client.partition_count("%s-unknown" % prefix)
    t = "%s-made-by-itself" % prefix
    offsets = client.produce(t, numbered(3))
    yield "topic made by producing", [offsets, client.partition_count(t), digest(client.read(t))]

    t = topic("idempotent")
    offsets = client.produce(t, numbered(1000), idempotent=True)
    more = client.produce(t, numbered(1000, 1000), idempotent=True)
    yield "idempotent", [offsets == list(range(1000)), more == list(range(1000, 2000)), digest(client.read(t))]

    t = topic("append-time", configs={"message.timestamp.type": "LogAppendTime"})
    before = int(time.time() * 1000)
    client.produce(t, numbered(3))
    got = client.read(t)
    now = int(time.time() * 1000)
    yield "log append time", [[r["type"], before <= r["t"] <= now] for r in got]

    t = topic("limits")
    client.produce(t, [record(b"k", megabyte[:5000])] * 10)
    yield "batches above every fetch limit", digest(client.read(t, limits=True))

    t = topic("long-poll")
    sent = []
    sender = threading.Thread(target=lambda: sent.append((time.monotonic(), client.produce(t, numbered(1)))))
    got = client.wait_and_read(t, sender.start)
    sender.join()
    yield "a waiting consumer is woken", [sent[0][1], digest(got), time.monotonic() - sent[0][0] < 4]

    t = topic("admin")
    yield "topic exists", client.create(t, 1)
    yield "no partitions", client.create(t + "2", 0)
    yield "bad name", client.create("not a name", 1)
    yield "bad config", client.create(t + "3", 1, {"retention.ms": "soon"})
    yield "unknown config", client.create(t + "4", 1, {"no.such.thing": "1"})
    yield "more partitions", [client.grow(t, 4), wait_for(lambda: client.partition_count(t), 4)]
    yield "fewer partitions", client.grow(t, 2)
    yield "delete", [client.delete(t), wait_for(lambda: client.partition_count(t), 3)]
    yield "delete again", client.delete(t)
    yield "made again", [client.create(t, 2), wait_for(lambda: client.partition_count(t), 2), client.offsets(t, [])]

    t, p = topic("living"), client.producer(300)
    c = client.follow(t, 300)
    saw = [client.send(p, t, numbered(2)), digest(client.take(c, t, 1, 2)), client.grow(t, 3)]
    saw += [wait_for(lambda: client.send(p, t, [record(b"k", b"grown", partition=2)]), [0])]
    saw += [wait_for(lambda: client.known(c, t), 3), digest(client.take(c, t, 3, 1))]
    saw += [client.send(p, topic("later"), numbered(3))]
    yield "partitions and topics made while clients live", saw

    t, p = topic("deleted-under-producer"), client.producer(300_000)
    saw = [client.send(p, t, numbered(10)), client.delete(t), wait_for(lambda: client.partition_count(t), 3)]
    yield "deleted under a producer", saw + [client.send(p, t, numbered(1)), client.partition_count(t)]

    if not client.follows_deletion:
        return
    t = topic("deleted-under-consumer")
    c = client.follow(t, 300)
    client.produce(t, numbered(10))
    saw = [digest(client.take(c, t, 1, 10)), client.delete(t)]
    wait_for(lambda: client.create(t, 1) in (0, 36), True)  # some consumers make it again themselves
    wait_for(lambda: client.partition_count(t), 1)
    client.produce(t, numbered(3, 10))
    yield "deleted under a consumer, and made again", saw + [digest(client.take(c, t, 1, 3))]


def wait_for(look, wanted):
    """The last thing seen, which is the wanted one if that comes within 20 seconds."""
    deadline = time.monotonic() + 20
    while True:
        seen = look()
        if seen == wanted or time.monotonic() > deadline:
            return seen
        time.sleep(0.05)


def wait_for_end(client, topic, end):
    wait_for(lambda: client.offsets(topic, [])[1], end)


def aiokafka(bootstrap):
    import aio

    return aio.AioKafka(bootstrap)


def main():
    sys.dont_write_bytecode = True
    name, bootstrap, prefix = sys.argv[1:]
    client = {"kafka-python": KafkaPython, "confluent": Confluent, "aiokafka": aiokafka}[name](bootstrap)
    document = {}
    for step, saw in steps(client, prefix):
        document[step] = saw
        print("%.1f %s" % (time.monotonic(), step), file=sys.stderr)
    json.dump(document, sys.stdout, indent=1)


main()
