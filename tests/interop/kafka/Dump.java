// Everything a client can learn of a broker's durable state, as one canonical JSON document.
//
//   kafka run Dump.java --bootstrap HOST:PORT [--include-internal]     print the document
//   kafka run Dump.java --diff A.json B.json [--ignore PATH]...        differences by path; exit 1 when there are any
//
// Canonical: sorted keys, ports and clocks left out, so that two dumps of one state are equal byte for byte.
// It only reads: no group is joined, no topic is made. The listener must be PLAINTEXT and ANONYMOUS a super user.
// Values of up to 64 bytes are base64; longer ones "sha256:LENGTH:first 16 hex digits". An area that the broker
// does not serve (no authorizer, old version) is {"unavailable": "ERROR_NAME"}.
// {"unsupported": true} stands for an area whose requests the broker does not know; differences pass over such areas.
// A PATH is keys joined by "/" ("/" within a key is "~1"), "*" matching any one key or a part of it, and stands for everything below it.
// In differences "-" marks what only A has, "+" what only B has, "!" what changed from A to B.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.File;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.DescribeProducersResult;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.ListConfigResourcesOptions;
import org.apache.kafka.clients.admin.ListConsumerGroupOffsetsSpec;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.ListOffsetsResult.ListOffsetsResultInfo;
import org.apache.kafka.clients.admin.ListShareGroupOffsetsSpec;
import org.apache.kafka.clients.admin.ListStreamsGroupOffsetsSpec;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.admin.TransactionDescription;
import org.apache.kafka.clients.admin.TransactionListing;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.UnsupportedVersionException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.quota.ClientQuotaFilter;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

public class Dump {
    /** Keys that are numbers (partitions, offsets) in numeric order, all others by code point. */
    static final Comparator<String> KEYS = (a, b) -> isNumber(a) && isNumber(b)
        ? Long.compare(Long.parseLong(a), Long.parseLong(b)) : a.compareTo(b);

    public static void main(String[] args) throws Exception {
        List<String> rest = new ArrayList<>(List.of(args));
        if (rest.remove("--diff")) System.exit(diff(rest));
        boolean internal = rest.remove("--include-internal");
        if (rest.size() != 2 || !rest.get(0).equals("--bootstrap")) {
            System.err.println("usage: Dump --bootstrap HOST:PORT [--include-internal] | Dump --diff A.json B.json [--ignore PATH]...");
            System.exit(2);
        }
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        print(out, new Dump(rest.get(1), internal).document(), 0);
        out.println();
        out.flush();
        System.exit(0);
    }

    final String bootstrap;
    final boolean includeInternal;
    final Admin admin;

    Dump(String bootstrap, boolean includeInternal) {
        this.bootstrap = bootstrap;
        this.includeInternal = includeInternal;
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        p.put("default.api.timeout.ms", "30000");
        admin = Admin.create(p);
    }

    Map<String, Object> document() throws Exception {
        Map<String, TopicDescription> topics = awaitLeaders();
        Map<String, Object> d = map();
        d.put("clusterId", admin.describeCluster().clusterId().get());
        d.put("features", area(this::features));
        d.put("topics", topics(topics));
        d.put("brokerConfigs", area(this::brokerConfigs));
        d.put("otherConfigs", otherConfigs());
        d.put("groups", area(this::groups));
        d.put("quotas", area(this::quotas));
        d.put("scram", area(this::scram));
        d.put("acls", area(this::acls));
        d.put("delegationTokens", area(this::tokens));
        d.put("transactions", area(this::transactions));
        return d;
    }

    /** A broker that has just started leads its partitions, loads its coordinators and ends transactions a moment later. */
    Map<String, TopicDescription> awaitLeaders() throws Exception {
        for (int i = 0; ; i++) {
            Set<String> names = admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get();
            Map<String, TopicDescription> all = new TreeMap<>(admin.describeTopics(names).allTopicNames().get());
            if (all.values().stream().allMatch(t -> t.partitions().stream().allMatch(x -> x.leader() != null && !x.leader().isEmpty()))) {
                settled(() -> admin.listGroups().all().get().size());
                settled(() -> admin.listTransactions().all().get().size());
                for (int j = 0; j < 40 && ending(); j++) Thread.sleep(500); // a kill may have left markers to be written
                return all;
            }
            if (i == 60) throw new IllegalStateException("partitions without leader after 30 s");
            Thread.sleep(500);
        }
    }

    boolean ending() throws Exception {
        if (unsupported(area(() -> admin.listTransactions().all().get().size()))) return false;
        return admin.listTransactions().all().get().stream().anyMatch(t -> t.state() == TransactionState.PREPARE_COMMIT || t.state() == TransactionState.PREPARE_ABORT);
    }

    static void settled(Callable<Object> read) throws Exception {
        Object last = null;
        for (int same = 0, i = 0; same < 3 && i < 60; i++) {
            Object now = area(read);
            if (unsupported(now)) return;
            same = now.equals(last) ? same + 1 : 0;
            last = now;
            Thread.sleep(400);
        }
    }

    Object features() throws Exception {
        Map<String, Object> m = map();
        admin.describeFeatures().featureMetadata().get().finalizedFeatures().forEach((k, v) -> m.put(k, (long) v.maxVersionLevel()));
        return m;
    }

    Object topics(Map<String, TopicDescription> all) throws Exception {
        List<TopicPartition> parts = new ArrayList<>();
        for (TopicDescription t : all.values()) if (!t.isInternal() || includeInternal)
            t.partitions().forEach(p -> parts.add(new TopicPartition(t.name(), p.partition())));
        Map<TopicPartition, Map<String, Object>> content = partitions(parts);
        Map<String, Map<String, Object>> configs = configs(ConfigResource.Type.TOPIC, all.keySet());
        Map<String, Object> m = map();
        for (TopicDescription t : all.values()) {
            Map<String, Object> x = map(), ps = map();
            x.put("id", t.topicId().toString());
            x.put("internal", t.isInternal());
            x.put("partitionCount", (long) t.partitions().size());
            x.put("configs", configs.get(t.name()));
            for (TopicPartition p : parts) if (p.topic().equals(t.name())) ps.put("" + p.partition(), content.get(p));
            x.put("partitions", ps);
            m.put(t.name(), x);
        }
        return m;
    }

    Map<TopicPartition, Map<String, Object>> partitions(List<TopicPartition> parts) throws Exception {
        Map<TopicPartition, Map<String, Object>> m = new HashMap<>();
        if (parts.isEmpty()) return m;
        Map<TopicPartition, ListOffsetsResultInfo> start = offsets(parts, OffsetSpec.earliest(), IsolationLevel.READ_UNCOMMITTED),
            high = offsets(parts, OffsetSpec.latest(), IsolationLevel.READ_UNCOMMITTED),
            stable = offsets(parts, OffsetSpec.latest(), IsolationLevel.READ_COMMITTED),
            max = offsets(parts, OffsetSpec.maxTimestamp(), IsolationLevel.READ_UNCOMMITTED);
        Map<TopicPartition, DescribeProducersResult.PartitionProducerState> producers =
            admin.describeProducers(parts).all().get();
        Map<TopicPartition, Map<String, Object>> records = new HashMap<>();
        Map<TopicPartition, List<Long>> committed = new HashMap<>();
        Map<TopicPartition, TreeMap<Long, Long>> times = new HashMap<>();
        read(parts, high, "read_uncommitted", r -> {
            records.get(tp(r)).put("" + r.offset(), record(r));
            times.computeIfAbsent(tp(r), k -> new TreeMap<>()).put(r.timestamp(), r.offset());
        }, p -> records.put(p, map()));
        read(parts, stable, "read_committed", r -> committed.get(tp(r)).add(r.offset()), p -> committed.put(p, new ArrayList<>()));
        Map<TopicPartition, Map<String, Object>> byTime = byTime(times);
        for (TopicPartition p : parts) {
            Map<String, Object> x = map();
            x.put("logStartOffset", start.get(p).offset());
            x.put("highWatermark", high.get(p).offset());
            x.put("lastStableOffset", stable.get(p).offset());
            x.put("maxTimestamp", List.of(max.get(p).timestamp(), max.get(p).offset()));
            x.put("offsetsForTimes", byTime.getOrDefault(p, map()));
            x.put("records", records.get(p));
            x.put("readCommitted", ranges(committed.get(p)));
            x.put("producers", producers(producers.get(p).activeProducers()));
            m.put(p, x);
        }
        return m;
    }

    Map<TopicPartition, ListOffsetsResultInfo> offsets(Collection<TopicPartition> parts, OffsetSpec spec, IsolationLevel level) throws Exception {
        return admin.listOffsets(parts.stream().collect(Collectors.toMap(p -> p, p -> spec)), new ListOffsetsOptions(level)).all().get();
    }

    /** The answer to ListOffsets by timestamp for at most five of the timestamps in each partition, spread evenly. */
    Map<TopicPartition, Map<String, Object>> byTime(Map<TopicPartition, TreeMap<Long, Long>> times) throws Exception {
        Map<TopicPartition, Map<String, Object>> m = new HashMap<>();
        for (int i = 0; i < 5; i++) {
            Map<TopicPartition, OffsetSpec> ask = new HashMap<>();
            Map<TopicPartition, Long> when = new HashMap<>();
            for (var e : times.entrySet()) {
                List<Long> all = new ArrayList<>(e.getValue().keySet());
                long t = all.get((int) ((long) i * (all.size() - 1) / 4));
                if (t < 0) continue;
                ask.put(e.getKey(), OffsetSpec.forTimestamp(t));
                when.put(e.getKey(), t);
            }
            if (ask.isEmpty()) continue;
            for (var e : admin.listOffsets(ask).all().get().entrySet())
                m.computeIfAbsent(e.getKey(), k -> map()).put("" + when.get(e.getKey()), List.of(e.getValue().offset(), e.getValue().timestamp()));
        }
        return m;
    }

    interface Sink<T> { void take(T t); }

    /** Every record below the given end offsets; the position also passes control batches and compacted gaps. */
    void read(List<TopicPartition> parts, Map<TopicPartition, ListOffsetsResultInfo> ends, String isolation,
              Sink<ConsumerRecord<byte[], byte[]>> sink, Sink<TopicPartition> first) throws Exception {
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        p.put("key.deserializer", ByteArrayDeserializer.class.getName());
        p.put("value.deserializer", ByteArrayDeserializer.class.getName());
        p.put("isolation.level", isolation);
        p.put("allow.auto.create.topics", "false");
        p.put("auto.offset.reset", "none");
        p.put("enable.auto.commit", "false");
        p.put("max.poll.records", "10000");
        try (KafkaConsumer<byte[], byte[]> c = new KafkaConsumer<>(p)) {
            c.assign(parts);
            c.seekToBeginning(parts);
            parts.forEach(first::take);
            long progress = System.nanoTime();
            Map<TopicPartition, Long> at = new HashMap<>();
            while (true) {
                for (ConsumerRecord<byte[], byte[]> r : c.poll(Duration.ofMillis(200)))
                    if (r.offset() < ends.get(tp(r)).offset()) sink.take(r);
                List<TopicPartition> open = new ArrayList<>();
                for (TopicPartition x : c.assignment()) {
                    long now = c.position(x);
                    Long before = at.put(x, now);
                    if (before == null || before != now) progress = System.nanoTime();
                    if (now < ends.get(x).offset()) open.add(x);
                }
                if (open.isEmpty()) return;
                if (System.nanoTime() - progress > 20_000_000_000L) throw new IllegalStateException(isolation + " reading stands still at " + at);
            }
        }
    }

    static Object record(ConsumerRecord<byte[], byte[]> r) {
        Map<String, Object> m = map();
        m.put("t", r.timestamp());
        m.put("type", r.timestampType().toString());
        m.put("key", bytes(r.key()));
        m.put("value", bytes(r.value()));
        r.leaderEpoch().ifPresent(e -> m.put("epoch", (long) e));
        List<Object> headers = new ArrayList<>();
        for (Header h : r.headers()) {
            headers.add(h.key());
            headers.add(bytes(h.value()));
        }
        if (!headers.isEmpty()) m.put("headers", headers);
        return m;
    }

    static Object producers(List<ProducerState> all) {
        Map<String, Object> m = map();
        for (ProducerState s : all) {
            Map<String, Object> x = map();
            x.put("epoch", (long) s.producerEpoch());
            x.put("lastSequence", (long) s.lastSequence());
            x.put("lastTimestamp", s.lastTimestamp());
            s.coordinatorEpoch().ifPresent(e -> x.put("coordinatorEpoch", (long) e));
            s.currentTransactionStartOffset().ifPresent(o -> x.put("txnStartOffset", o));
            m.put("" + s.producerId(), x);
        }
        return m;
    }

    /** Per resource, the entries that somebody set, with the level they were set at. */
    Map<String, Map<String, Object>> configs(ConfigResource.Type type, Collection<String> names) throws Exception {
        Map<String, Map<String, Object>> m = new HashMap<>();
        List<ConfigResource> ask = names.stream().map(n -> new ConfigResource(type, n)).toList();
        if (ask.isEmpty()) return m;
        admin.describeConfigs(ask).all().get().forEach((resource, config) -> {
            Map<String, Object> x = map();
            for (ConfigEntry e : config.entries()) if (e.source() != ConfigEntry.ConfigSource.DEFAULT_CONFIG) {
                Map<String, Object> v = map();
                v.put("value", e.isSensitive() ? "(sensitive)" : e.value());
                v.put("source", e.source().name());
                x.put(e.name(), v);
            }
            m.put(resource.name(), x);
        });
        return m;
    }

    /** Dynamic settings only: what server.properties says is not state. */
    Object brokerConfigs() throws Exception {
        Map<String, Object> m = map();
        List<String> names = new ArrayList<>(List.of(""));
        admin.describeCluster().nodes().get().forEach(n -> names.add(n.idString()));
        configs(ConfigResource.Type.BROKER, names).forEach((name, entries) -> {
            entries.values().removeIf(v -> !((Map<?, ?>) v).get("source").toString().startsWith("DYNAMIC"));
            m.put(name.isEmpty() ? "default" : name, entries);
        });
        return m;
    }

    Object otherConfigs() {
        Map<String, Object> m = map();
        for (ConfigResource.Type type : List.of(ConfigResource.Type.GROUP, ConfigResource.Type.CLIENT_METRICS))
            m.put(type.name(), area(() -> {
                Set<String> names = new TreeSet<>();
                for (ConfigResource r : admin.listConfigResources(Set.of(type), new ListConfigResourcesOptions()).all().get()) names.add(r.name());
                Map<String, Object> x = map();
                x.putAll(configs(type, names));
                return x;
            }));
        return m;
    }

    Object groups() throws Exception {
        Map<String, Object> m = map();
        for (GroupListing g : admin.listGroups().all().get()) {
            Map<String, Object> x = map(), offsets = map();
            GroupType type = g.type().orElse(GroupType.UNKNOWN);
            x.put("type", type.name());
            x.put("protocol", g.protocol());
            x.put("state", g.groupState().map(Object::toString).orElse("?"));
            String id = g.groupId();
            if (type == GroupType.SHARE) {
                admin.listShareGroupOffsets(Map.of(id, new ListShareGroupOffsetsSpec())).partitionsToOffsetInfo(id).get().forEach((p, o) -> {
                    if (o != null) offsets.put(p.toString(), List.of(o.startOffset()));
                });
            } else {
                Map<TopicPartition, OffsetAndMetadata> all = type == GroupType.STREAMS
                    ? admin.listStreamsGroupOffsets(Map.of(id, new ListStreamsGroupOffsetsSpec())).partitionsToOffsetAndMetadata(id).get()
                    : admin.listConsumerGroupOffsets(Map.of(id, new ListConsumerGroupOffsetsSpec())).partitionsToOffsetAndMetadata(id).get();
                all.forEach((p, o) -> {
                    if (o == null) return;
                    Map<String, Object> v = map();
                    v.put("offset", o.offset());
                    v.put("metadata", o.metadata());
                    o.leaderEpoch().ifPresent(e -> v.put("epoch", (long) e));
                    offsets.put(p.toString(), v);
                });
            }
            x.put("offsets", offsets);
            m.put(id, x);
        }
        return m;
    }

    Object quotas() throws Exception {
        Map<String, Object> m = map();
        admin.describeClientQuotas(ClientQuotaFilter.all()).entities().get().forEach((entity, values) -> {
            String name = new TreeMap<>(entity.entries()).entrySet().stream()
                .map(e -> e.getKey() + "=" + (e.getValue() == null ? "<default>" : e.getValue())).collect(Collectors.joining(","));
            Map<String, Object> x = map();
            values.forEach((k, v) -> x.put(k, v.toString()));
            m.put(name, x);
        });
        return m;
    }

    Object scram() throws Exception {
        Map<String, Object> m = map();
        admin.describeUserScramCredentials().all().get().forEach((user, d) -> {
            Map<String, Object> x = map();
            d.credentialInfos().forEach(i -> x.put(i.mechanism().mechanismName(), (long) i.iterations()));
            m.put(user, x);
        });
        return m;
    }

    Object acls() throws Exception {
        return admin.describeAcls(AclBindingFilter.ANY).values().get().stream().map(b -> String.join(" ",
            b.pattern().resourceType().name(), b.pattern().patternType().name(), b.pattern().name(),
            b.entry().permissionType().name(), b.entry().operation().name(), b.entry().principal(), b.entry().host())).sorted().toList();
    }

    Object tokens() throws Exception {
        Map<String, Object> m = map();
        admin.describeDelegationToken().delegationTokens().get().forEach(t -> {
            Map<String, Object> x = map();
            x.put("owner", t.tokenInfo().ownerAsString());
            x.put("renewers", t.tokenInfo().renewersAsString().stream().sorted().toList());
            x.put("maxTimestamp", t.tokenInfo().maxTimestamp());
            m.put(t.tokenInfo().tokenId(), x);
        });
        return m;
    }

    Object transactions() throws Exception {
        Map<String, Object> m = map();
        for (TransactionListing l : admin.listTransactions().all().get()) {
            TransactionDescription t = admin.describeTransactions(List.of(l.transactionalId())).description(l.transactionalId()).get();
            Map<String, Object> x = map();
            x.put("state", t.state().toString());
            x.put("producerId", t.producerId());
            x.put("epoch", (long) t.producerEpoch());
            x.put("timeoutMs", t.transactionTimeoutMs());
            t.transactionStartTimeMs().ifPresent(s -> x.put("startTime", s));
            x.put("partitions", t.topicPartitions().stream().map(TopicPartition::toString).sorted().toList());
            m.put(l.transactionalId(), x);
        }
        return m;
    }

    static Object area(Callable<Object> read) {
        try {
            return read.call();
        } catch (Exception e) {
            Throwable cause = e instanceof ExecutionException && e.getCause() != null ? e.getCause() : e;
            Map<String, Object> m = map();
            if (cause instanceof UnsupportedVersionException) m.put("unsupported", true);
            else m.put("unavailable", Errors.forException(cause) == Errors.UNKNOWN_SERVER_ERROR ? cause.toString() : Errors.forException(cause).name());
            return m;
        }
    }

    static boolean unsupported(Object area) { return area instanceof Map<?, ?> m && m.containsKey("unsupported"); }

    static Map<String, Object> map() { return new TreeMap<>(KEYS); }

    static boolean isNumber(String s) { return !s.isEmpty() && s.length() < 19 && s.chars().allMatch(c -> c >= '0' && c <= '9'); }

    static TopicPartition tp(ConsumerRecord<?, ?> r) { return new TopicPartition(r.topic(), r.partition()); }

    static String bytes(byte[] b) {
        if (b == null) return null;
        if (b.length <= 64) return Base64.getEncoder().encodeToString(b);
        try {
            return "sha256:" + b.length + ":" + HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(b)).substring(0, 16);
        } catch (java.security.NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    /** [0,1,2,5] as "0-2,5". */
    static String ranges(List<Long> offsets) {
        StringBuilder s = new StringBuilder();
        for (int i = 0; i < offsets.size(); ) {
            int j = i;
            while (j + 1 < offsets.size() && offsets.get(j + 1) == offsets.get(j) + 1) j++;
            s.append(s.isEmpty() ? "" : ",").append(offsets.get(i));
            if (j > i) s.append('-').append(offsets.get(j));
            i = j + 1;
        }
        return s.toString();
    }

    /** Indented; a record, like any map or list of plain values only, takes one line. */
    static void print(PrintStream out, Object v, int depth) {
        Collection<?> inner = v instanceof Map<?, ?> m ? m.values() : v instanceof List<?> l ? l : List.of();
        boolean flat = inner.isEmpty() || inner.stream().allMatch(x -> !(x instanceof Map) && (!(x instanceof List) || v instanceof Map<?, ?> m && m.containsKey("t")));
        String sep = flat ? "" : "\n" + "  ".repeat(depth + 1), end = flat ? "" : "\n" + "  ".repeat(depth);
        boolean first = true;
        if (v instanceof Map<?, ?> m) {
            out.print('{');
            for (Map.Entry<?, ?> e : m.entrySet()) {
                out.print((first ? "" : flat ? ", " : ",") + sep + quote(e.getKey().toString()) + ": ");
                print(out, e.getValue(), depth + 1);
                first = false;
            }
            out.print(end + '}');
        } else if (v instanceof List<?> l) {
            out.print('[');
            for (Object x : l) {
                out.print((first ? "" : flat ? ", " : ",") + sep);
                print(out, x, depth + 1);
                first = false;
            }
            out.print(end + ']');
        } else {
            out.print(v instanceof String s ? quote(s) : String.valueOf(v));
        }
    }

    static String quote(String s) {
        StringBuilder b = new StringBuilder("\"");
        for (char c : s.toCharArray()) {
            if (c == '"' || c == '\\') b.append('\\').append(c);
            else if (c < 0x20 || c == 0x7f || Character.isSurrogate(c)) b.append(String.format("\\u%04x", (int) c));
            else b.append(c);
        }
        return b.append('"').toString();
    }

    // --- comparing two documents ---

    static int diff(List<String> args) throws Exception {
        List<Pattern> ignore = new ArrayList<>();
        for (int i; (i = args.indexOf("--ignore")) >= 0 && i + 1 < args.size(); ) {
            args.remove(i);
            String path = args.remove(i).replaceAll("^/|/$", "");
            ignore.add(Pattern.compile(List.of(path.split("/")).stream()
                .map(k -> List.of(k.split("\\*", -1)).stream().map(Pattern::quote).collect(Collectors.joining("[^/]*"))).collect(Collectors.joining("/")) + "(/.*)?"));
        }
        if (args.size() != 2) throw new IllegalArgumentException("--diff takes two files");
        ObjectMapper json = new ObjectMapper();
        List<String> found = new ArrayList<>();
        compare("", json.readTree(new File(args.get(0))), json.readTree(new File(args.get(1))), ignore, found);
        found.stream().limit(200).forEach(System.out::println);
        if (found.size() > 200) System.out.println("... and " + (found.size() - 200) + " more");
        return found.isEmpty() ? 0 : 1;
    }

    static void compare(String path, JsonNode a, JsonNode b, List<Pattern> ignore, List<String> found) {
        if (ignore.stream().anyMatch(p -> p.matcher(path).matches()) || a != null && a.equals(b)) return;
        if (a != null && a.has("unsupported") || b != null && b.has("unsupported")) return;
        if (a != null && b != null && a.isObject() && b.isObject()) {
            Set<String> keys = new TreeSet<>(KEYS);
            a.fieldNames().forEachRemaining(keys::add);
            b.fieldNames().forEachRemaining(keys::add);
            for (String k : keys)
                compare((path.isEmpty() ? "" : path + "/") + k.replace("/", "~1"), a.get(k), b.get(k), ignore, found);
        } else {
            found.add((a == null ? "+ " : b == null ? "- " : "! ") + path + ": " + shown(a == null ? b : a) + (a == null || b == null ? "" : " -> " + shown(b)));
        }
    }

    static String shown(JsonNode n) {
        String s = n.toString();
        return s.length() > 200 ? s.substring(0, 200) + "..." : s;
    }
}
