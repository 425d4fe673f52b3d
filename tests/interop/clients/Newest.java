// What only the newest Java client can ask of a broker, as one JSON document: Newest.java BOOTSTRAP PREFIX
//
// Beside Exercise.java, which every Java client takes; the same holds here.

import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.*;
import java.util.concurrent.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public class Newest {
    static final long BASE = 1_700_000_000_000L;
    static String bootstrap, prefix;
    static Admin admin;
    static final Map<String, Object> document = new LinkedHashMap<>();

    public static void main(String[] args) throws Exception {
        bootstrap = args[0];
        prefix = args[1];
        admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
        contents();
        topics();
        cluster();
        System.out.println(new ObjectMapper().writeValueAsString(document));
        System.exit(0);
    }

    static void contents() throws Exception {
        String t = topic("numbered", 1, Map.of());
        List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
        for (int i = 0; i < 1000; i++) records.add(new ProducerRecord<>(t, 0, BASE + i * 1000L, null, ("v" + i).getBytes()));
        send(records);
        send(records);
        TopicPartition p = new TopicPartition(t, 0);
        var producers = admin.describeProducers(List.of(p)).all().get().get(p).activeProducers();
        saw("producers that the broker remembers", List.of(producers.size(), producers.stream().mapToInt(s -> s.lastSequence()).max().getAsInt()));
        List<Object> found = new ArrayList<>();
        for (OffsetSpec spec : List.of(OffsetSpec.earliest(), OffsetSpec.latest(), OffsetSpec.maxTimestamp(), OffsetSpec.forTimestamp(BASE + 1))) {
            var one = admin.listOffsets(Map.of(p, spec)).all().get().get(p);
            found.add(List.of(one.offset(), one.timestamp()));
        }
        saw("listed offsets", found);
        String big = topic("megabyte", 1, Map.of());
        send(Collections.nCopies(3, new ProducerRecord<>(big, 0, BASE, null, new byte[999_000])));
        int node = admin.describeCluster().nodes().get().iterator().next().id();
        long described = admin.describeLogDirs(List.of(node)).allDescriptions().get().get(node).values().stream()
            .flatMap(dir -> dir.replicaInfos().entrySet().stream()).filter(e -> e.getKey().topic().equals(big))
            .mapToLong(e -> e.getValue().size()).sum();
        saw("size in the log directory", described > 2_997_000 && described < 3_000_000);
    }

    static void topics() throws Exception {
        String t = topic("admin", 1, Map.of("retention.ms", "12345678", "cleanup.policy", "compact,delete"));
        CreateTopicsResult made = admin.createTopics(List.of(new NewTopic(t + "6", Optional.empty(), Optional.empty())));
        saw("broker defaults", List.of(made.numPartitions(t + "6").get(), made.replicationFactor(t + "6").get()));
        ConfigResource r = new ConfigResource(ConfigResource.Type.TOPIC, t);
        Map<String, String> found = new TreeMap<>();
        for (ConfigEntry e : admin.describeConfigs(List.of(r)).all().get().get(r).entries()) found.put(e.name(), e.value() + " " + e.source() + " " + e.type());
        saw("all configs of a topic", found);
        saw("unknown topic", code(() -> admin.describeTopics(List.of(prefix + "-unknown")).allTopicNames().get()));
        saw("unknown topic id", code(() -> admin.describeTopics(TopicCollection.ofTopicIds(List.of(Uuid.randomUuid()))).allTopicIds().get()));
        // without configs: after a restart, Kafka 4.4 gives those of a deleted topic to the next one of its name
        String d = topic("gone", 1, Map.of());
        Uuid id = id(d);
        saw("by id", admin.describeTopics(TopicCollection.ofTopicIds(List.of(id))).allTopicIds().get().get(id).name().equals(d));
        saw("delete by id", List.of(code(() -> admin.deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all().get()), gone(d)));
        topic("gone", 2, Map.of());
        saw("made again with another id", !id(d).equals(id));
        saw("config resources", code(() -> admin.listConfigResources(Set.of(ConfigResource.Type.TOPIC), new ListConfigResourcesOptions()).all().get()));
    }

    static void cluster() throws Exception {
        var quorum = admin.describeMetadataQuorum().quorumInfo().get();
        saw("quorum", List.of(quorum.voters().size(), quorum.leaderId() == quorum.voters().get(0).replicaId(), quorum.observers().size()));
    }

    static Uuid id(String topic) throws Exception {
        return admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).topicId();
    }

    static boolean gone(String topic) throws Exception {
        int last = 0;
        for (int i = 0; i < 400 && last == 0; i++) {
            Thread.sleep(50);
            last = code(() -> admin.describeTopics(List.of(topic)).allTopicNames().get());
        }
        return last == 3;
    }

    static String topic(String name, int partitions, Map<String, String> configs) throws Exception {
        String t = prefix + "-" + name;
        admin.createTopics(List.of(new NewTopic(t, partitions, (short) 1).configs(configs))).all().get();
        for (int i = 0; i < partitions; i++) {
            TopicPartition p = new TopicPartition(t, i);
            // a new topic may want a moment
            for (int j = 0; j < 400 && code(() -> admin.listOffsets(Map.of(p, OffsetSpec.latest())).all().get()) != 0; j++) Thread.sleep(50);
        }
        return t;
    }

    static void send(List<ProducerRecord<byte[], byte[]>> records) throws Exception {
        Map<String, Object> settings = Map.of("bootstrap.servers", bootstrap, "batch.size", "500",
            "key.serializer", ByteArraySerializer.class, "value.serializer", ByteArraySerializer.class);
        try (KafkaProducer<byte[], byte[]> p = new KafkaProducer<>(settings)) {
            for (Future<RecordMetadata> f : records.stream().map(p::send).toList()) f.get();
        }
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
