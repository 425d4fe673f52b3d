"""Members of groups, a thread each: members.py members BOOTSTRAP TOPIC SPEC..., where a SPEC is `key=value,...` (see
groups.rs); and what they read: members.py produce BOOTSTRAP TOPIC RATE. SIGTERM closes them.

Each line is microseconds, group, member and one of: assigned P.., revoked P.., lost P.., saw P OFFSET VALUE,
committed P OFFSET (when the broker has acknowledged it), paused P, resumed P, seek P OFFSET, error TEXT, closed.
"""

import asyncio
import signal
import sys
import threading
import time

stopping = threading.Event()
lock = threading.Lock()


def say(who, event, *rest):
    line = "%d %s %s\n" % (time.time_ns() // 1000, who, " ".join([event] + [str(r).replace("\n", " ") for r in rest]))
    with lock:
        sys.stdout.write(line)


def flush():
    with lock:
        sys.stdout.flush()


class Steps:
    """Once: a partition is paused for a while, resumed, and gone back in."""

    def __init__(self, who, wanted):
        self.who, self.wanted = who, wanted
        self.paused = None

    def forget(self, partitions):
        if self.paused in partitions:
            self.paused = None

    def take(self, count, assigned, pause, resume, position, seek):
        if not self.wanted:
            return
        if self.paused not in assigned:
            self.paused = None
        if self.paused is None and count > 30 and assigned:
            self.paused, self.resume_at = min(assigned), time.monotonic() + 1
            pause(self.paused)
            say(self.who, "paused", self.paused)
        elif self.paused is not None and time.monotonic() > self.resume_at:
            say(self.who, "resumed", self.paused)
            resume(self.paused)
            back = max(0, position(self.paused) - 5)
            seek(self.paused, back)
            say(self.who, "seek", self.paused, back)
            self.wanted = False


def kafka_python(bootstrap, topic, spec, who):
    import kafka
    from kafka.consumer.subscription_state import ConsumerRebalanceListener
    from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
    from kafka.coordinator.assignors.range import RangePartitionAssignor
    from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
    from kafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
    from kafka.structs import OffsetAndMetadata

    assignors = {"range": RangePartitionAssignor, "roundrobin": RoundRobinPartitionAssignor,
                 "sticky": StickyPartitionAssignor, "cooperative-sticky": CooperativeStickyAssignor}
    seen, count, steps = {}, 0, Steps(who, "steps" in spec)
    dirty = False  # something of it is not committed, as far as is known

    def acknowledged(offsets, response):
        nonlocal dirty
        if isinstance(response, Exception):
            dirty = True
            return say(who, "error", repr(response))
        for partition, offset in offsets.items():
            say(who, "committed", partition.partition, offset.offset)

    def commit(wait):
        nonlocal dirty
        offsets = {kafka.TopicPartition(topic, p): OffsetAndMetadata(o, "", -1) for p, o in seen.items()}
        dirty = False
        if not offsets or spec["commit"] == "auto":
            return
        if not wait:
            return consumer.commit_async(offsets, acknowledged)
        try:
            consumer.commit(offsets)
            acknowledged(offsets, None)
        except kafka.errors.KafkaError as error:
            acknowledged(offsets, error)

    class Listener(ConsumerRebalanceListener):
        def on_partitions_revoked(self, revoked):
            self.gone("revoked", revoked)  # it runs where a commit cannot be waited for

        def on_partitions_lost(self, lost):
            self.gone("lost", lost)

        def gone(self, how, partitions):
            gone = [p.partition for p in partitions]
            steps.forget(gone)
            for p in gone:
                seen.pop(p, None)
            say(who, how, *gone)
            flush()

        def on_partitions_assigned(self, assigned):
            say(who, "assigned", *[p.partition for p in assigned])
            flush()

    consumer = kafka.KafkaConsumer(
        bootstrap_servers=bootstrap, group_id=spec["group"], group_instance_id=spec.get("instance"),
        auto_offset_reset="earliest", enable_auto_commit=spec["commit"] == "auto", auto_commit_interval_ms=500,
        default_offset_commit_callback=acknowledged, session_timeout_ms=int(spec["session"]), heartbeat_interval_ms=500,
        reconnect_backoff_max_ms=200, partition_assignment_strategy=[assignors[spec["assignor"]]])
    consumer.subscribe([topic], listener=Listener())
    tp = lambda p: kafka.TopicPartition(topic, p)
    while not stopping.is_set():
        # a poll that gives up in the middle of a join may lose it: 3.0.12 forgets the answer and is never assigned anything
        try:
            batch = consumer.poll(timeout_ms=3000)
        except kafka.errors.KafkaError as error:  # as long as there is no broker
            say(who, "error", repr(error))
            continue
        for records in batch.values():
            for r in records:
                say(who, "saw", r.partition, r.offset, r.value.decode())
                seen[r.partition] = r.offset + 1
                count, dirty = count + 1, True
        flush()
        if dirty:
            commit(spec["commit"] == "sync")
        steps.take(count, [p.partition for p in consumer.assignment()], lambda p: consumer.pause(tp(p)),
                   lambda p: consumer.resume(tp(p)), lambda p: consumer.position(tp(p)),
                   lambda p, o: consumer.seek(tp(p), o))
    commit(True)
    consumer.close()


def confluent(bootstrap, topic, spec, who):
    from confluent_kafka import Consumer, KafkaException, TopicPartition

    seen, count, steps = {}, 0, Steps(who, "steps" in spec)
    dirty = False  # something of it is not committed, as far as is known

    def acknowledged(error, partitions):
        nonlocal dirty
        if error:
            dirty = True
            return say(who, "error", error)
        for p in partitions or []:
            if p.error:
                dirty = True
                say(who, "error", p.error)
            elif p.offset >= 0:
                say(who, "committed", p.partition, p.offset)

    def commit(wait):
        nonlocal dirty
        offsets = [TopicPartition(topic, p, o) for p, o in seen.items()]
        dirty = False
        if not offsets:
            return
        try:
            if spec["commit"] == "auto":
                return consumer.store_offsets(offsets=offsets)
            done = consumer.commit(offsets=offsets, asynchronous=not wait)
            if wait:
                acknowledged(None, done)
        except KafkaException as error:
            acknowledged(error, None)

    def gone(how, partitions):
        gone = [p.partition for p in partitions]
        steps.forget(gone)
        for p in gone:
            seen.pop(p, None)
        say(who, how, *gone)
        flush()

    def on_assign(_, partitions):
        say(who, "assigned", *[p.partition for p in partitions])
        flush()

    def on_revoke(_, partitions):
        commit(True)
        gone("revoked", partitions)

    def on_lost(_, partitions):
        gone("lost", partitions)

    settings = {
        "bootstrap.servers": bootstrap, "group.id": spec["group"], "auto.offset.reset": "earliest",
        "enable.auto.commit": spec["commit"] == "auto", "auto.commit.interval.ms": 500, "on_commit": acknowledged,
        "enable.auto.offset.store": False,  # not before what it has seen is told
        "reconnect.backoff.max.ms": 200, "log_level": 2, "error_cb": lambda error: None,
    }
    if spec["protocol"] == "consumer":
        settings.update({"group.protocol": "consumer", "group.remote.assignor": spec["assignor"]})
    else:
        settings.update({"partition.assignment.strategy": spec["assignor"], "session.timeout.ms": int(spec["session"]),
                         "heartbeat.interval.ms": 500})
    if "instance" in spec:
        settings["group.instance.id"] = spec["instance"]
    consumer = Consumer(settings)
    consumer.subscribe([topic], on_assign=on_assign, on_revoke=on_revoke, on_lost=on_lost)
    tp = lambda p, *o: TopicPartition(topic, p, *o)
    while not stopping.is_set():
        batch = consumer.consume(200, 0.1)
        for r in batch:
            if r.error():
                say(who, "error", r.error())
                continue
            say(who, "saw", r.partition(), r.offset(), r.value().decode())
            seen[r.partition()] = r.offset() + 1
            count, dirty = count + 1, True
        flush()
        if dirty:
            commit(spec["commit"] == "sync")
        try:
            steps.take(count, list(seen), lambda p: consumer.pause([tp(p)]), lambda p: consumer.resume([tp(p)]),
                       lambda p: seen[p], lambda p, o: consumer.seek(tp(p, o)))
        except KafkaException as error:  # a partition that has just come or is just going; again in a moment
            say(who, "error", error)
    commit(True)
    consumer.close()


def aiokafka(bootstrap, topic, spec, who):
    asyncio.run(aiokafka_member(bootstrap, topic, spec, who))


async def aiokafka_member(bootstrap, topic, spec, who):
    import aiokafka
    from aiokafka.coordinator.assignors.range import RangePartitionAssignor
    from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
    from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor

    assignors = {"range": RangePartitionAssignor, "roundrobin": RoundRobinPartitionAssignor,
                 "sticky": StickyPartitionAssignor}
    seen, count, steps = {}, 0, Steps(who, "steps" in spec)
    dirty = False  # something of it is not committed, as far as is known
    tp = lambda p: aiokafka.TopicPartition(topic, p)

    async def commit():
        nonlocal dirty
        offsets = {tp(p): o for p, o in seen.items()}
        dirty = False
        if not offsets or spec["commit"] == "auto":
            return
        try:
            await consumer.commit(offsets)
            for partition, offset in offsets.items():
                say(who, "committed", partition.partition, offset)
        except aiokafka.errors.KafkaError as error:
            dirty = True
            say(who, "error", repr(error))

    class Listener(aiokafka.ConsumerRebalanceListener):
        async def on_partitions_revoked(self, revoked):
            gone = [p.partition for p in revoked]
            steps.forget(gone)
            for p in gone:
                seen.pop(p, None)
            say(who, "revoked", *gone)
            flush()

        async def on_partitions_assigned(self, assigned):
            say(who, "assigned", *[p.partition for p in assigned])
            flush()

    consumer = aiokafka.AIOKafkaConsumer(
        bootstrap_servers=bootstrap, group_id=spec["group"], group_instance_id=spec.get("instance"),
        auto_offset_reset="earliest", enable_auto_commit=spec["commit"] == "auto", auto_commit_interval_ms=500,
        session_timeout_ms=int(spec["session"]), heartbeat_interval_ms=500,
        partition_assignment_strategy=[assignors[spec["assignor"]]])
    consumer.subscribe([topic], listener=Listener())
    await consumer.start()
    while not stopping.is_set():
        batch = await consumer.getmany(timeout_ms=100)
        for records in batch.values():
            for r in records:
                say(who, "saw", r.partition, r.offset, r.value.decode())
                seen[r.partition] = r.offset + 1
                count, dirty = count + 1, True
        flush()
        if dirty:
            await commit()
        try:
            last = {p.partition: await consumer.position(p) for p in consumer.assignment()} if steps.wanted else {}
            held = [p for p in last if tp(p) in consumer.assignment()]
            steps.take(count, held, lambda p: consumer.pause(tp(p)), lambda p: consumer.resume(tp(p)),
                       lambda p: last[p], lambda p, o: consumer.seek(tp(p), o))
        except aiokafka.errors.KafkaError as error:  # a partition that is just going; again in a moment
            say(who, "error", repr(error))
    await commit()
    await consumer.stop()


CLIENTS = {"kafka-python": kafka_python, "confluent": confluent, "aiokafka": aiokafka}


def member(bootstrap, topic, spec):
    who = "%s %s" % (spec["group"], spec["member"])
    try:
        CLIENTS[spec["client"]](bootstrap, topic, spec, who)
        say(who, "closed")
    except Exception as error:
        say(who, "died", repr(error))
        raise
    finally:
        flush()


def members(bootstrap, topic, *specs):
    specs = [dict(pair.split("=") for pair in spec.split(",")) for spec in specs]
    threads = [threading.Thread(target=member, args=(bootstrap, topic, spec)) for spec in specs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def produce(bootstrap, topic, rate):
    """The numbers from 0, until SIGTERM; every one is acknowledged, and once."""
    from confluent_kafka import Producer

    lost = []
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 5, "log_level": 2,
                         "sticky.partitioning.linger.ms": 0, "reconnect.backoff.max.ms": 200, "error_cb": lambda e: None})
    begun, sent = time.monotonic(), 0
    while not stopping.is_set():
        while sent < (time.monotonic() - begun) * int(rate):
            producer.produce(topic, str(sent), on_delivery=lambda error, _: lost.append(error) if error else None)
            sent += 1
        producer.poll(0.01)
    left = producer.flush(60)
    print("produced %d, %d refused, %d left" % (sent, len(lost), left), flush=True)


signal.signal(signal.SIGTERM, lambda *_: stopping.set())
{"members": members, "produce": produce}[sys.argv[1]](*sys.argv[2:])
