// What a Java client sees of a broker, as one JSON document: Exercise.java BOOTSTRAP PREFIX
//
// The steps of exercise.py and a few about clients that live while topics change; see there. Every step makes topics of its
// own, named PREFIX-something, and all that the document holds is determined by this program and by the protocol. It
// compiles against every client from 2.1 to the newest; what only the newest can ask is in Newest.java.

import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.stream.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.serialization.*;

public class Exercise {
    static final long BASE = 1_700_000_000_000L;
    static String bootstrap, prefix;
    static AdminClient admin;
    static final Map<String, Object> document = new LinkedHashMap<>();

    public static void main(String[] args) throws Exception {
        bootstrap = args[0];
        prefix = args[1];
        admin = AdminClient.create(Map.<String, Object>of("bootstrap.servers", bootstrap));
        producing();
        seeking();
        errors();
        living();
        administration();
        System.out.println(new ObjectMapper().writeValueAsString(document));
        System.exit(0);
    }

    static void producing() throws Exception {
        for (String acks : List.of("0", "1", "all")) {
            String t = topic("acks-" + acks, 1, Map.of());
            List<Object> offsets = produce(t, numbered(50, 0), Map.of("acks", acks, "enable.idempotence", "false"));
            for (int i = 0; i < 400 && end(t) < 50; i++) Thread.sleep(50);
            saw("acks " + acks, List.of(offsets.get(0), offsets.get(49), digest(read(t, null, Map.of()))));
        }

        String t = topic("shapes", 1, Map.of());
        List<ProducerRecord<byte[], byte[]>> shapes = new ArrayList<>(List.of(
            record(t, null, bytes("only a value"), BASE), record(t, bytes("only a key"), null, BASE),
            record(t, bytes(""), bytes(""), BASE), record(t, bytes("key"), bytes("value"), BASE + 5),
            record(t, new byte[] {0, -1}, new byte[] {-2, 1}, 1), record(t, null, null, BASE), record(t, null, bytes(""), BASE)));
        shapes.get(3).headers().add("a", bytes("1")).add("a", bytes("2")).add("empty", bytes(""));
        shapes.get(6).headers().add(new RecordHeader("null", (byte[]) null));
        send(shapes, Map.of());
        saw("shapes", read(t, null, Map.of()).stream().map(Exercise::shown).toList());

        byte[] megabyte = new byte[999_000];
        for (int i = 0; i < megabyte.length; i++) megabyte[i] = (byte) (i * 31 + (i >> 8));
        t = topic("megabyte", 1, Map.of());
        List<Object> offsets = send(Collections.nCopies(3, record(t, bytes("big"), megabyte, BASE)), Map.of());
        saw("records of a megabyte", List.of(offsets, digest(read(t, null, Map.of()))));
        byte[] two = Arrays.copyOf(megabyte, 2 * megabyte.length);
        saw("too large", List.of(send(List.of(record(t, bytes("big"), two, BASE)), Map.of("max.request.size", "5000000")), end(t)));
        t = topic("small-limit", 1, Map.of("max.message.bytes", "1000"));
        saw("too large for the topic", List.of(send(List.of(record(t, bytes("k"), Arrays.copyOf(megabyte, 1200), BASE)), Map.of()),
            send(List.of(record(t, bytes("k"), bytes("v"), BASE)), Map.of())));

        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            t = topic("codec-" + codec, 1, Map.of());
            produce(t, numbered(300, 0), Map.of("compression.type", codec));
            saw("codec " + codec, digest(read(t, null, Map.of())));
        }
        t = topic("recompressed", 1, Map.of("compression.type", "zstd"));
        produce(t, numbered(300, 0), Map.of("compression.type", "gzip"));
        saw("recompressed by the broker", digest(read(t, null, Map.of())));

        t = topic("idempotent", 1, Map.of());
        List<Object> first = produce(t, numbered(1000, 0), Map.of("batch.size", "500", "enable.idempotence", "true"));
        List<Object> more = produce(t, numbered(1000, 1000), Map.of("batch.size", "500", "enable.idempotence", "true"));
        saw("idempotent", List.of(first.equals(range(0, 1000)), more.equals(range(1000, 2000)), digest(read(t, null, Map.of()))));
        t = topic("append-time", 1, Map.of("message.timestamp.type", "LogAppendTime"));
        long before = System.currentTimeMillis();
        produce(t, numbered(3, 0), Map.of());
        List<ConsumerRecord<byte[], byte[]>> got = read(t, null, Map.of());
        long now = System.currentTimeMillis();
        saw("log append time", got.stream().map(r -> List.of(r.timestampType().id, before <= r.timestamp() && r.timestamp() <= now)).toList());

        t = topic("limits", 1, Map.of());
        send(Collections.nCopies(10, record(t, bytes("k"), Arrays.copyOf(megabyte, 5000), BASE)), Map.of());
        saw("batches above every fetch limit", digest(read(t, null, Map.of("fetch.max.bytes", "100", "max.partition.fetch.bytes", "100"))));
        t = topic("compacted", 1, Map.of("cleanup.policy", "compact"));
        saw("no key in a compacted topic", send(List.of(record(t, null, bytes("v"), BASE)), Map.of()));
    }

    static void seeking() throws Exception {
        String t = topic("seek", 1, Map.of());
        for (int[] part : new int[][] {{0, 30}, {30, 1}, {31, 39}, {70, 30}}) produce(t, numbered(part[1], part[0]), Map.of());
        TopicPartition p = new TopicPartition(t, 0);
        try (KafkaConsumer<byte[], byte[]> c = consumer(Map.of())) {
            List<Object> found = new ArrayList<>();
            for (long when : new long[] {BASE - 1, BASE, BASE + 40_000, BASE + 40_500, BASE + 99_000, BASE + 99_001}) {
                OffsetAndTimestamp o = c.offsetsForTimes(Map.of(p, when)).get(p);
                found.add(o == null ? null : List.of(o.offset(), o.timestamp()));
            }
            saw("offsets", Arrays.asList(c.beginningOffsets(List.of(p)).get(p), c.endOffsets(List.of(p)).get(p), found));
        }
        saw("all after seeking to the beginning", digest(read(t, null, Map.of())));
        saw("seeking into a batch", read(t, 37L, Map.of()).stream().limit(1).map(Exercise::shown).toList());
        saw("the rest from there", digest(read(t, 37L, Map.of())));
        saw("read committed", digest(read(t, null, Map.of("isolation.level", "read_committed"))));
        try {
            saw("offset out of range", read(t, 100_000L, Map.of()).size());
        } catch (OffsetOutOfRangeException e) {
            saw("offset out of range", "error 1");
        }
        saw("offset out of range, reset to earliest", digest(read(t, 100_000L, Map.of("auto.offset.reset", "earliest"))));
        try (KafkaConsumer<byte[], byte[]> c = consumer(Map.of("auto.offset.reset", "latest"))) {
            c.assign(List.of(p));
            c.seek(p, 100_000);
            for (int i = 0; i < 100 && c.position(p) == 100_000; i++) c.poll(Duration.ofMillis(200));
            saw("offset out of range, reset to latest", c.position(p));
        }

        t = topic("spread", 6, Map.of());
        List<ProducerRecord<byte[], byte[]>> keyed = new ArrayList<>();
        for (int i = 0; i < 48; i++) keyed.add(new ProducerRecord<>(t, bytes("key-" + i), bytes("key-" + i)));
        List<Integer> placed = new ArrayList<>();
        try (KafkaProducer<byte[], byte[]> producer = producer(Map.of())) {
            for (Future<RecordMetadata> f : keyed.stream().map(producer::send).toList()) placed.add(f.get().partition());
        }
        List<Object> seen = new ArrayList<>();
        for (ConsumerRecord<byte[], byte[]> r : read(t, null, Map.of())) seen.add(List.of(r.partition(), text(r.key())));
        saw("keys spread over partitions", List.of(placed, seen));

        String waited = topic("long-poll", 1, Map.of());
        TopicPartition w = new TopicPartition(waited, 0);
        try (KafkaConsumer<byte[], byte[]> c = consumer(Map.of("fetch.max.wait.ms", "6000"))) {
            c.assign(List.of(w));
            c.seekToEnd(List.of(w));
            c.position(w);
            c.poll(Duration.ofSeconds(1));
            long begun = System.nanoTime();
            produce(waited, numbered(1, 0), Map.of());
            List<ConsumerRecord<byte[], byte[]>> got = new ArrayList<>();
            while (got.isEmpty() && System.nanoTime() - begun < 20_000_000_000L) c.poll(Duration.ofMillis(100)).forEach(got::add);
            saw("a waiting consumer is woken", List.of(digest(got), System.nanoTime() - begun < 4_000_000_000L));
        }
    }

    static void errors() throws Exception {
        saw("unknown topic", partitions(prefix + "-unknown"));
        saw("bad name when producing", send(List.of(record("not a name", null, bytes("v"), BASE)), Map.of("max.block.ms", "3000")));
        String t = prefix + "-made-by-itself";
        List<Object> offsets = produce(t, numbered(3, 0), Map.of());
        saw("topic made by producing", List.of(offsets, partitions(t), digest(read(t, null, Map.of()))));
    }

    static void administration() throws Exception {
        String t = topic("admin", 1, Map.of("retention.ms", "12345678", "cleanup.policy", "compact,delete"));
        saw("topic exists", create(t, 1, Map.of()));
        saw("no partitions", create(t + "2", 0, Map.of()));
        saw("bad name", create("not a name", 1, Map.of()));
        saw("bad config", create(t + "3", 1, Map.of("retention.ms", "soon")));
        saw("unknown config", create(t + "4", 1, Map.of("no.such.thing", "1")));
        saw("colliding name", List.of(create(prefix + "-a.b", 1, Map.of()), create(prefix + "-a_b", 1, Map.of())));
        saw("validated only", List.of(code(() -> admin.createTopics(List.of(new NewTopic(t + "5", 3, (short) 1)),
            new CreateTopicsOptions().validateOnly(true)).all().get()), admin.listTopics().names().get().contains(t + "5")));
        saw("configs of a topic", configs(t));
        saw("more partitions", List.of(code(() -> admin.createPartitions(Map.of(t, NewPartitions.increaseTo(4))).all().get()), settled(t, 4)));
        saw("fewer partitions", code(() -> admin.createPartitions(Map.of(t, NewPartitions.increaseTo(2))).all().get()));
        // without configs: after a restart, Kafka 4.4 gives those of a deleted topic to the next one of its name
        String d = topic("gone", 1, Map.of());
        saw("delete", List.of(code(() -> admin.deleteTopics(List.of(d)).all().get()), settled(d, 0)));
        saw("delete again", code(() -> admin.deleteTopics(List.of(d)).all().get()));
        saw("made again", List.of(create(d, 2, Map.of()), settled(d, 2), end(d)));
        DescribeClusterResult cluster = admin.describeCluster();
        saw("cluster", List.of(cluster.nodes().get().size(), cluster.controller().get().id() == cluster.nodes().get().iterator().next().id(),
            cluster.clusterId().get().length()));
    }

    /** One producer and one consumer live through this; they look for changes every half second. */
    static void living() throws Exception {
        try (KafkaProducer<byte[], byte[]> p = producer(Map.of("metadata.max.age.ms", "500"));
             KafkaConsumer<byte[], byte[]> c = consumer(Map.of("metadata.max.age.ms", "500"))) {
            String t = topic("grown", 1, Map.of());
            List<Object> seen = new ArrayList<>(List.of(sent(p, t, 0), follow(c, t, 0)));
            seen.addAll(List.of(code(() -> admin.createPartitions(Map.of(t, NewPartitions.increaseTo(3))).all().get()), settled(t, 3)));
            seen.addAll(List.of(sent(p, t, 2), follow(c, t, 2)));
            saw("a partition is added", seen);
            String later = topic("later", 1, Map.of());
            saw("a topic is made", List.of(sent(p, later, 0), follow(c, later, 0)));
        }
        // a producer that looks for changes would make the topic again; so does its first send
        try (KafkaProducer<byte[], byte[]> p = producer(Map.of()); KafkaConsumer<byte[], byte[]> c = consumer(Map.of())) {
            String t = topic("doomed", 1, Map.of());
            List<Object> seen = new ArrayList<>();
            for (int i = 0; i < 5; i++) seen.add(sent(p, t, 0));
            seen.add(follow(c, t, 0));
            seen.addAll(List.of(code(() -> admin.deleteTopics(List.of(t)).all().get()), settled(t, 0)));
            seen.addAll(List.of(sent(p, t, 0), settled(t, 1), poll(c)));
            saw("deleted while in use", seen);
        }
    }

    static Object sent(KafkaProducer<byte[], byte[]> p, String topic, int partition) throws Exception {
        try {
            return p.send(new ProducerRecord<>(topic, partition, BASE, bytes("k"), bytes("v"))).get().offset();
        } catch (ExecutionException e) {
            return "error " + codeOf(e);
        }
    }

    static Object follow(KafkaConsumer<byte[], byte[]> c, String topic, int partition) {
        TopicPartition p = new TopicPartition(topic, partition);
        c.assign(List.of(p));
        c.seekToBeginning(List.of(p));
        return poll(c);
    }

    /** The first records that come, or the error. */
    static Object poll(KafkaConsumer<byte[], byte[]> c) {
        List<ConsumerRecord<byte[], byte[]>> got = new ArrayList<>();
        try {
            for (int i = 0; i < 100 && got.isEmpty(); i++) c.poll(Duration.ofMillis(200)).forEach(got::add);
            return digest(got);
        } catch (OffsetOutOfRangeException e) {
            return "error 1";
        }
    }

    static Map<String, String> configs(String topic) throws Exception {
        ConfigResource r = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        Map<String, String> found = new TreeMap<>();
        for (ConfigEntry e : admin.describeConfigs(List.of(r)).all().get().get(r).entries())
            if (e.source() != ConfigEntry.ConfigSource.DEFAULT_CONFIG) found.put(e.name(), e.value() + " " + e.source());
        return found;
    }

    /** The partition count once it is the wanted one (0: no such topic), or the last one seen. */
    static int settled(String topic, int wanted) throws Exception {
        int seen = -1;
        for (int i = 0; i < 400 && (seen = partitions(topic)) != wanted; i++) Thread.sleep(50);
        return seen;
    }

    static int partitions(String topic) throws Exception {
        DescribeTopicsResult described = admin.describeTopics(List.of(topic));
        KafkaFuture<?> all;
        try { // as it is called since 3.1, and was until 3.9
            all = (KafkaFuture<?>) described.getClass().getMethod("allTopicNames").invoke(described);
        } catch (NoSuchMethodException e) {
            all = (KafkaFuture<?>) described.getClass().getMethod("all").invoke(described);
        }
        try {
            return ((TopicDescription) ((Map<?, ?>) all.get()).get(topic)).partitions().size();
        } catch (ExecutionException e) {
            return 0;
        }
    }

    static int create(String name, int partitions, Map<String, String> configs) {
        return code(() -> admin.createTopics(List.of(new NewTopic(name, partitions, (short) 1).configs(configs))).all().get());
    }

    static String topic(String name, int partitions, Map<String, String> configs) throws Exception {
        String t = prefix + "-" + name;
        int code = create(t, partitions, configs);
        if (code != 0) throw new IllegalStateException("creating " + t + ": " + code);
        for (int i = 0; i < partitions; i++) end(t, i);
        return t;
    }

    static int code(Callable<Object> call) {
        try {
            call.call();
            return 0;
        } catch (Exception e) {
            return codeOf(e);
        }
    }

    static int codeOf(Throwable e) {
        return Errors.forException(e instanceof ExecutionException ? e.getCause() : e).code();
    }

    static List<ProducerRecord<byte[], byte[]>> numbered(int count, int first) {
        List<ProducerRecord<byte[], byte[]>> all = new ArrayList<>();
        for (int i = first; i < first + count; i++) all.add(record("", bytes("k" + i), bytes("v" + i), BASE + i * 1000L));
        return all;
    }

    static ProducerRecord<byte[], byte[]> record(String topic, byte[] key, byte[] value, long timestamp) {
        return new ProducerRecord<>(topic.isEmpty() ? "-" : topic, 0, timestamp, key, value);
    }

    static List<Object> produce(String topic, List<ProducerRecord<byte[], byte[]>> records, Map<String, String> settings) throws Exception {
        return send(records.stream().map(r -> record(topic, r.key(), r.value(), r.timestamp())).toList(), settings);
    }

    static List<Object> send(List<ProducerRecord<byte[], byte[]>> records, Map<String, String> settings) throws Exception {
        List<Object> offsets = new ArrayList<>();
        try (KafkaProducer<byte[], byte[]> p = producer(settings)) {
            for (Future<RecordMetadata> f : records.stream().map(p::send).toList()) {
                try {
                    offsets.add(f.get().offset());
                } catch (ExecutionException e) {
                    offsets.add("error " + codeOf(e));
                }
            }
        }
        return offsets;
    }

    static KafkaProducer<byte[], byte[]> producer(Map<String, String> settings) {
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        p.put("key.serializer", ByteArraySerializer.class.getName());
        p.put("value.serializer", ByteArraySerializer.class.getName());
        p.putAll(settings);
        return new KafkaProducer<>(p);
    }

    static KafkaConsumer<byte[], byte[]> consumer(Map<String, String> settings) {
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        p.put("key.deserializer", ByteArrayDeserializer.class.getName());
        p.put("value.deserializer", ByteArrayDeserializer.class.getName());
        p.put("auto.offset.reset", "none");
        p.put("enable.auto.commit", "false");
        p.put("allow.auto.create.topics", "false");
        p.putAll(settings);
        return new KafkaConsumer<>(p);
    }

    /** All records of a topic from an offset (null: from the beginning) to the ends as they are now, by partition and offset. */
    static List<ConsumerRecord<byte[], byte[]>> read(String topic, Long from, Map<String, String> settings) throws Exception {
        List<ConsumerRecord<byte[], byte[]>> got = new ArrayList<>();
        try (KafkaConsumer<byte[], byte[]> c = consumer(settings)) {
            List<TopicPartition> all = c.partitionsFor(topic).stream().map(i -> new TopicPartition(topic, i.partition())).toList();
            c.assign(all);
            if (from == null) c.seekToBeginning(all);
            else all.forEach(p -> c.seek(p, from));
            Map<TopicPartition, Long> ends = c.endOffsets(all);
            long begun = System.nanoTime();
            while (from != null && got.isEmpty() || !all.stream().allMatch(p -> c.position(p) >= ends.get(p))) {
                c.poll(Duration.ofMillis(200)).forEach(got::add);
                if (System.nanoTime() - begun > 60_000_000_000L) throw new TimeoutException(topic + ": read " + got.size() + " records");
            }
        }
        got.sort(Comparator.comparing((ConsumerRecord<byte[], byte[]> r) -> r.partition()).thenComparing(r -> r.offset()));
        return got;
    }

    static long end(String topic) { return end(topic, 0); }

    /** Waits for a new topic to be there. */
    static long end(String topic, int partition) {
        TopicPartition p = new TopicPartition(topic, partition);
        try (KafkaConsumer<byte[], byte[]> c = consumer(Map.of())) {
            return c.endOffsets(List.of(p)).get(p);
        }
    }

    static List<Object> range(long from, long to) {
        return LongStream.range(from, to).boxed().collect(Collectors.toList());
    }

    static void saw(String step, Object what) {
        document.put(step, what);
        System.err.println(step);
    }

    static byte[] bytes(String s) { return s.getBytes(StandardCharsets.UTF_8); }

    static String text(byte[] b) {
        if (b == null) return null;
        return b.length <= 64 ? new String(b, StandardCharsets.ISO_8859_1) : b.length + " bytes " + sum(b);
    }

    static String sum(byte[] b) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(b)).substring(0, 16);
        } catch (java.security.NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    static Object shown(ConsumerRecord<byte[], byte[]> r) {
        Map<String, Object> m = new LinkedHashMap<>();
        m.put("p", r.partition());
        m.put("o", r.offset());
        m.put("t", r.timestamp());
        m.put("type", r.timestampType().id);
        m.put("k", text(r.key()));
        m.put("v", text(r.value()));
        List<Object> headers = new ArrayList<>();
        for (Header h : r.headers()) headers.add(Arrays.asList(h.key(), text(h.value())));
        m.put("h", headers);
        return m;
    }

    static Object digest(List<ConsumerRecord<byte[], byte[]>> records) {
        StringBuilder lines = new StringBuilder();
        for (ConsumerRecord<byte[], byte[]> r : records) {
            StringJoiner headers = new StringJoiner(",");
            for (Header h : r.headers()) headers.add(h.key() + "=" + text(h.value()));
            lines.append(r.partition()).append('|').append(r.offset()).append('|').append(r.timestamp()).append('|')
                .append(r.timestampType().id).append('|').append(python(text(r.key()))).append('|').append(python(text(r.value())))
                .append('|').append(headers).append('\n');
        }
        return Map.of("count", records.size(), "sum", sum(bytes(lines.toString())));
    }

    /** As the Python programs write nothing, so that the sums of all clients are equal. */
    static String python(String s) { return s == null ? "None" : s; }
}
