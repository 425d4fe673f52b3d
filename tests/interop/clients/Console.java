// What a console in a browser asks of a broker, as one JSON document: Console.java BOOTSTRAP PREFIX
//
// The calls of kafka-ui, in the groups in which it makes them: what it finds out about a cluster when it first sees it, what
// it collects each half minute, and what its pages and buttons do. As in Newest.java the document holds nothing of one run:
// of all topics and groups only those named PREFIX-something.

import com.fasterxml.jackson.databind.ObjectMapper;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.function.Function;
import java.util.stream.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.acl.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.quota.*;
import org.apache.kafka.common.serialization.*;

public class Console {
    static final long BASE = 1_700_000_000_000L;
    static String bootstrap, prefix, topic, group;
    static Admin admin;
    static int node;
    static final Map<String, Object> document = new LinkedHashMap<>();

    public static void main(String[] args) throws Exception {
        bootstrap = args[0];
        prefix = args[1];
        topic = prefix + "-shown";
        group = prefix + "-readers";
        admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
        first();
        content();
        collect("");
        messages();
        topicPage();
        groupPage();
        buttons();
        collect(", after all");
        System.out.println(new ObjectMapper().writeValueAsString(document));
        System.exit(0);
    }

    /** Which features a cluster has. */
    static void first() throws Exception {
        DescribeClusterResult cluster = admin.describeCluster();
        node = cluster.controller().get().id();
        saw("nodes", cluster.nodes().get().stream().map(n -> n.id() == node && n.port() > 0 && !n.isFenced()).toList());
        ConfigResource broker = new ConfigResource(ConfigResource.Type.BROKER, "" + node);
        var entries = admin.describeConfigs(List.of(broker)).all().get().get(broker).entries();
        saw("deletion of topics", entries.stream().filter(e -> e.name().equals("delete.topic.enable")).map(ConfigEntry::value).toList());
        saw("access control", code(() -> admin.describeAcls(AclBindingFilter.ANY).values().get()));
        saw("quotas", code(() -> admin.describeClientQuotas(ClientQuotaFilter.all()).entities().get()));
        var operations = admin.describeCluster(new DescribeClusterOptions().includeAuthorizedOperations(true)).authorizedOperations().get();
        saw("operations on the cluster", operations == null ? null : operations.stream().map(Enum::name).sorted().toList());
        FeatureMetadata features = admin.describeFeatures().featureMetadata().get();
        saw("features", features.finalizedFeatures().get("metadata.version").maxVersionLevel() > 0);
        saw("quorum", admin.describeMetadataQuorum().quorumInfo().get().leaderId() == node);
    }

    static void content() throws Exception {
        for (String name : List.of(topic, topic + "-too")) {
            var wanted = new NewTopic(name, Optional.of(2), Optional.of((short) 1)).configs(Map.of("retention.ms", "-1", "cleanup.policy", "delete"));
            admin.createTopics(List.of(wanted)).all().get();
            until(() -> code(() -> admin.listOffsets(ends(List.of(new TopicPartition(name, 0), new TopicPartition(name, 1)), OffsetSpec.latest())).all().get()) == 0);
        }
        Map<String, Object> settings = Map.of("bootstrap.servers", bootstrap, "batch.size", 500);
        try (var producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
            for (int i = 0; i < 100; i++) {
                producer.send(new ProducerRecord<>(topic, i % 2, BASE + i * 1000, "key" + i, "{\"value\":" + i + "}")).get();
            }
        }
        admin.alterConsumerGroupOffsets(group, Map.of(new TopicPartition(topic, 0), new OffsetAndMetadata(20),
            new TopicPartition(topic, 1), new OffsetAndMetadata(50, "a note"))).all().get();
    }

    /** What is collected each half minute, of everything there is. */
    static void collect(String when) throws Exception {
        Set<String> names = admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get();
        saw("topics" + when, own(names));
        Map<String, TopicDescription> topics = new TreeMap<>(found(admin.describeTopics(names).topicNameValues()));
        saw("partitions" + when, topics.values().stream().filter(t -> t.name().startsWith(prefix + "-")).map(Console::shown).toList());
        List<ConfigResource> resources = names.stream().map(name -> new ConfigResource(ConfigResource.Type.TOPIC, name)).toList();
        var configs = found(admin.describeConfigs(resources, new DescribeConfigsOptions().includeSynonyms(true)).values());
        saw("configs" + when, configs.keySet().stream().filter(r -> r.name().startsWith(topic)).sorted(Comparator.comparing(ConfigResource::name))
            .map(r -> r.name().substring(prefix.length()) + configs.get(r).entries().stream()
                // which Apache Kafka keeps as a dynamic default for its replicas' sake
                .filter(e -> !e.isDefault() && !e.name().equals("min.insync.replicas"))
                .map(e -> " " + e.name() + "=" + e.value() + e.synonyms().stream().map(s -> s.name() + " " + s.source()).toList()).sorted().collect(Collectors.joining())).toList());
        var partitions = topics.values().stream().flatMap(t -> t.partitions().stream().map(p -> new TopicPartition(t.name(), p.partition()))).toList();
        for (OffsetSpec spec : List.of(OffsetSpec.earliest(), OffsetSpec.latest())) {
            ListOffsetsResult listed = admin.listOffsets(ends(partitions, spec));
            Map<TopicPartition, KafkaFuture<ListOffsetsResult.ListOffsetsResultInfo>> each = new HashMap<>();
            partitions.forEach(p -> each.put(p, listed.partitionResult(p)));
            var offsets = found(each);
            saw(spec.getClass().getSimpleName() + when, own(offsets, ListOffsetsResult.ListOffsetsResultInfo::offset));
        }
        var folders = admin.describeLogDirs(List.of(node)).allDescriptions().get().get(node).values();
        saw("log directories" + when, folders.stream().map(d -> List.of(d.error() == null, d.totalBytes().isPresent(), d.usableBytes().isPresent(),
            own(d.replicaInfos(), r -> List.of(r.size() > 0, r.offsetLag(), r.isFuture())))).toList());
        groups(when);
    }

    static void groups(String when) throws Exception {
        Collection<GroupListing> listed = admin.listGroups().all().get();
        saw("groups" + when, listed.stream().filter(g -> g.groupId().startsWith(prefix + "-"))
            .map(g -> g.groupId().substring(prefix.length()) + " " + g.type() + " " + g.protocol() + " " + g.groupState()).sorted().toList());
        List<String> names = listed.stream().map(GroupListing::groupId).filter(g -> g.startsWith(prefix + "-")).sorted().toList();
        var described = new TreeMap<>(found(admin.describeConsumerGroups(names).describedGroups()));
        saw("described groups" + when, described.values().stream().map(g -> List.of(g.groupId().substring(prefix.length()), g.groupState(), g.type(),
            g.members().size(), g.partitionAssignor(), g.isSimpleConsumerGroup(), g.coordinator().id() == node)).toList());
        Map<String, ListConsumerGroupOffsetsSpec> all = new HashMap<>();
        names.forEach(name -> all.put(name, new ListConsumerGroupOffsetsSpec()));
        if (!all.isEmpty()) {
            var offsets = admin.listConsumerGroupOffsets(all).all().get();
            saw("offsets of groups" + when, new TreeMap<>(offsets).values().stream().map(one -> own(one, o -> o.offset() + o.metadata())).toList());
        }
    }

    /** The page with messages: from either end, from a time, without a group. */
    static void messages() throws Exception {
        Map<String, Object> settings = Map.of("bootstrap.servers", bootstrap, "enable.auto.commit", false, "allow.auto.create.topics", false, "auto.offset.reset", "earliest");
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
            List<TopicPartition> partitions = consumer.partitionsFor(topic).stream().map(p -> new TopicPartition(topic, p.partition())).toList();
            saw("first offsets", own(consumer.beginningOffsets(partitions), o -> o));
            saw("last offsets", own(consumer.endOffsets(partitions), o -> o));
            Map<TopicPartition, Long> times = new HashMap<>();
            partitions.forEach(p -> times.put(p, BASE + 60_500));
            var from = consumer.offsetsForTimes(times);
            saw("offsets of a time", own(from, o -> o.offset() + " " + o.timestamp()));
            consumer.assign(partitions);
            from.forEach((p, o) -> consumer.seek(p, o.offset()));
            List<String> read = new ArrayList<>();
            until(() -> {
                consumer.poll(Duration.ofMillis(200)).forEach(r -> read.add(r.key() + r.value() + r.partition() + r.timestampType()));
                return read.size() >= 39;
            });
            saw("messages from that time", read.stream().sorted().toList());
        }
    }

    static void topicPage() throws Exception {
        ConfigResource one = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        var documented = admin.describeConfigs(List.of(one), new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true)).all().get().get(one);
        saw("configs have texts", documented.entries().stream().anyMatch(e -> e.documentation() != null && !e.documentation().isEmpty()));
        var producers = admin.describeProducers(List.of(new TopicPartition(topic, 0), new TopicPartition(topic, 1))).all().get();
        saw("producers", own(producers, s -> s.activeProducers().stream().map(p -> p.lastSequence() + " " + p.currentTransactionStartOffset()).toList()));
        saw("an unknown topic", code(() -> admin.describeTopics(List.of(prefix + "-none")).allTopicNames().get()));
        AlterConfigOp set = new AlterConfigOp(new ConfigEntry("max.message.bytes", "2000000"), AlterConfigOp.OpType.SET);
        AlterConfigOp delete = new AlterConfigOp(new ConfigEntry("retention.ms", ""), AlterConfigOp.OpType.DELETE);
        saw("configs changed", code(() -> admin.incrementalAlterConfigs(Map.of(one, List.of(set, delete))).all().get()));
        AlterConfigOp wrong = new AlterConfigOp(new ConfigEntry("retention.ms", "never"), AlterConfigOp.OpType.SET);
        saw("a wrong config", code(() -> admin.incrementalAlterConfigs(Map.of(one, List.of(wrong))).all().get()));
        saw("more partitions", code(() -> admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(3))).all().get()));
        saw("fewer partitions", code(() -> admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(1))).all().get()));
        var here = new NewPartitionReassignment(List.of(node));
        saw("reassigned to where it is", code(() -> admin.alterPartitionReassignments(Map.of(new TopicPartition(topic, 0), Optional.of(here))).all().get()));
        saw("messages deleted", code(() -> admin.deleteRecords(Map.of(new TopicPartition(topic, 0), RecordsToDelete.beforeOffset(10))).all().get()));
        saw("too many messages deleted", code(() -> admin.deleteRecords(Map.of(new TopicPartition(topic, 1), RecordsToDelete.beforeOffset(1000))).all().get()));
    }

    static void groupPage() throws Exception {
        Map<TopicPartition, OffsetAndMetadata> back = Map.of(new TopicPartition(topic, 1), new OffsetAndMetadata(5));
        saw("offsets set back", code(() -> admin.alterConsumerGroupOffsets(group, back).all().get()));
        saw("offsets deleted", code(() -> admin.deleteConsumerGroupOffsets(group, Set.of(new TopicPartition(topic, 0))).all().get()));
        admin.alterConsumerGroupOffsets(group + "-too", back).all().get();
        saw("group deleted", code(() -> admin.deleteConsumerGroups(List.of(group + "-too")).all().get()));
        saw("unknown group deleted", code(() -> admin.deleteConsumerGroups(List.of(group + "-too")).all().get()));
    }

    static void buttons() throws Exception {
        saw("a topic of that name", code(() -> admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all().get()));
        saw("topic deleted", code(() -> admin.deleteTopics(List.of(topic + "-too")).all().get()));
        until(() -> !admin.listTopics().names().get().contains(topic + "-too"));
        ConfigResource broker = new ConfigResource(ConfigResource.Type.BROKER, "" + node);
        AlterConfigOp readOnly = new AlterConfigOp(new ConfigEntry("broker.id", "9"), AlterConfigOp.OpType.SET);
        saw("a broker config that stays", code(() -> admin.incrementalAlterConfigs(Map.of(broker, List.of(readOnly))).all().get()));
    }

    static Map<TopicPartition, OffsetSpec> ends(Collection<TopicPartition> partitions, OffsetSpec spec) {
        return partitions.stream().collect(Collectors.toMap(p -> p, p -> spec));
    }

    static String shown(TopicDescription t) {
        return t.name().substring(prefix.length()) + " " + t.isInternal() + t.partitions().stream()
            .map(p -> " " + p.partition() + (p.leader().id() == node) + p.replicas().size() + p.isr().size()).collect(Collectors.joining());
    }

    static List<String> own(Collection<String> names) {
        return names.stream().filter(name -> name.startsWith(prefix + "-")).sorted().map(name -> name.substring(prefix.length())).toList();
    }

    /** Own partitions, without the prefix, with something of their values. */
    static <V> Map<String, Object> own(Map<TopicPartition, V> all, Function<V, Object> shown) {
        Map<String, Object> own = new TreeMap<>();
        all.forEach((p, value) -> {
            if (p.topic().startsWith(prefix + "-")) own.put(p.toString().substring(prefix.length()), shown.apply(value));
        });
        return own;
    }

    /** Without what has gone meanwhile: other tests have topics of their own. */
    static <K, V> Map<K, V> found(Map<K, KafkaFuture<V>> futures) throws Exception {
        Map<K, V> found = new HashMap<>();
        for (K key : futures.keySet()) {
            try {
                found.put(key, futures.get(key).get());
            } catch (ExecutionException e) {
                if (!(e.getCause() instanceof org.apache.kafka.common.errors.UnknownTopicOrPartitionException)) throw e;
            }
        }
        return found;
    }

    static void until(Callable<Boolean> holds) throws Exception {
        for (int i = 0; i < 1200; i++) {
            if (holds.call()) return;
            Thread.sleep(50);
        }
        throw new TimeoutException("a minute is over");
    }

    static int code(Callable<Object> call) {
        try {
            call.call();
            return 0;
        } catch (Exception e) {
            return Errors.forException(e instanceof ExecutionException ? e.getCause() : e).code();
        }
    }

    static void saw(String step, Object what) {
        document.put(step, what);
        System.err.println(step);
    }
}
