// Groups that move from broker to broker, with their offsets.
//
//   Groups.java BOOTSTRAP make          a topic, and groups of both protocols, dynamic and static, that committed in it
//   Groups.java BOOTSTRAP continue N    each group joins anew where it left off after N such calls, and commits one offset further
//
// Prints what did not come as it should, a line each; nothing when all is well.

import java.time.Duration;
import java.util.*;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.*;

public class Groups {
    static final String TOPIC = "moved";
    static final int PARTITIONS = 4, RECORDS = 20;
    static final String[] PROTOCOLS = {"classic", "consumer"};
    static String bootstrap;

    public static void main(String[] args) throws Exception {
        bootstrap = args[0];
        if (args[1].equals("make")) make();
        else {
            int calls = Integer.parseInt(args[2]);
            for (String protocol : PROTOCOLS)
                for (String instance : new String[] {null, "the-one"}) join(protocol, instance, calls);
            kept();
        }
        System.exit(0);
    }

    static void make() throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
                var producer = new KafkaProducer<>(Map.of("bootstrap.servers", bootstrap), new StringSerializer(), new StringSerializer())) {
            admin.createTopics(List.of(new NewTopic(TOPIC, PARTITIONS, (short) 1))).all().get();
            for (int i = 0; i < RECORDS * PARTITIONS; i++) producer.send(new ProducerRecord<>(TOPIC, i % PARTITIONS, "k", "v" + i));
            producer.flush();
            for (String protocol : PROTOCOLS)
                for (String instance : new String[] {null, "the-one"}) join(protocol, instance, -1);
            // set from outside, one of them taken back; and a group that is no more
            for (String group : List.of("moved-simple", "moved-gone"))
                admin.alterConsumerGroupOffsets(group, Map.of(
                    new TopicPartition(TOPIC, 0), new OffsetAndMetadata(5, Optional.of(0), "by hand"),
                    new TopicPartition(TOPIC, 1), new OffsetAndMetadata(6))).all().get();
            admin.deleteConsumerGroupOffsets("moved-simple", Set.of(new TopicPartition(TOPIC, 1))).all().get();
            admin.deleteConsumerGroups(List.of("moved-gone")).all().get();
        }
    }

    /** Joins, looks where the group stands, commits one further (the first time: begins), reads a record, and leaves. */
    static void join(String protocol, String instance, int calls) {
        String group = "moved-" + protocol + (instance == null ? "" : "-static");
        Map<String, Object> properties = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "group.id", group,
            "group.protocol", protocol, "enable.auto.commit", "false", "auto.offset.reset", "earliest", "max.poll.records", "1"));
        if (instance != null) properties.put("group.instance.id", instance);
        // so that a static member that left is still a member when the next broker has started
        if (protocol.equals("classic")) properties.put("session.timeout.ms", "600000");
        try (var consumer = new KafkaConsumer<>(properties, new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of(TOPIC));
            long end = System.nanoTime() + 120_000_000_000L;
            int read = 0;
            while (consumer.assignment().size() < PARTITIONS || read == 0) {
                for (var record : consumer.poll(Duration.ofMillis(200))) {
                    read++;
                    if (calls >= 0 && record.offset() < start(record.partition(), calls))
                        System.out.println(group + " read " + record.offset() + " of partition " + record.partition() + " again");
                }
                if (System.nanoTime() > end) {
                    System.out.println(group + " has " + consumer.assignment() + " and read " + read + " records after two minutes");
                    return;
                }
            }
            Map<TopicPartition, OffsetAndMetadata> next = new HashMap<>();
            Map<TopicPartition, OffsetAndMetadata> committed = consumer.committed(consumer.assignment());
            for (TopicPartition p : consumer.assignment()) {
                OffsetAndMetadata at = committed.get(p);
                if (calls >= 0 && (at == null || at.offset() != start(p.partition(), calls) || !at.metadata().equals("call " + calls)))
                    System.out.println(group + " stands at " + at + " of " + p + " after " + calls + " calls");
                next.put(p, new OffsetAndMetadata(start(p.partition(), calls + 1), Optional.of(0), "call " + (calls + 1)));
            }
            consumer.commitSync(next);
        }
    }

    static long start(int partition, int calls) {
        return 3 + partition + calls;
    }

    static void kept() throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            var offsets = admin.listConsumerGroupOffsets("moved-simple").partitionsToOffsetAndMetadata().get();
            var wanted = Map.of(new TopicPartition(TOPIC, 0), new OffsetAndMetadata(5, Optional.of(0), "by hand"));
            if (!offsets.equals(wanted)) System.out.println("moved-simple has " + offsets);
            try {
                System.out.println("moved-gone has " + admin.describeConsumerGroups(List.of("moved-gone")).all().get());
            } catch (ExecutionException gone) {
                if (!(gone.getCause() instanceof org.apache.kafka.common.errors.GroupIdNotFoundException)) throw gone;
            }
        }
    }
}
