import java.io.BufferedOutputStream;
import java.io.PrintStream;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerInterceptor;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Members of groups, a thread each: Members BOOTSTRAP TOPIC SPEC..., where a SPEC is `key=value,...` (see groups.rs). Each
 * prints what befalls it as members.py does; SIGTERM closes them.
 */
public class Members {
    static final String ASSIGNORS = "org.apache.kafka.clients.consumer.";
    static final Map<String, String> CLASSES = Map.of("range", ASSIGNORS + "RangeAssignor", "roundrobin",
        ASSIGNORS + "RoundRobinAssignor", "sticky", ASSIGNORS + "StickyAssignor", "cooperative-sticky",
        ASSIGNORS + "CooperativeStickyAssignor");
    static final PrintStream out = new PrintStream(new BufferedOutputStream(System.out, 1 << 16));
    static volatile boolean stopping;

    static void say(String who, String what) {
        long now = ChronoUnit.MICROS.between(Instant.EPOCH, Instant.now());
        synchronized (out) { out.println(now + " " + who + " " + what); }
    }

    static void flush() {
        synchronized (out) { out.flush(); }
    }

    static void sayCommitted(String who, Map<TopicPartition, OffsetAndMetadata> offsets) {
        offsets.forEach((partition, offset) -> say(who, "committed " + partition.partition() + " " + offset.offset()));
    }

    /** The only way to learn of automatic commits that the broker has acknowledged. */
    public static final class Overheard implements ConsumerInterceptor<String, String> {
        private String who;

        @Override public void configure(Map<String, ?> configs) { who = (String) configs.get("members.who"); }

        @Override public ConsumerRecords<String, String> onConsume(ConsumerRecords<String, String> records) { return records; }

        @Override public void onCommit(Map<TopicPartition, OffsetAndMetadata> offsets) { sayCommitted(who, offsets); }

        @Override public void close() {}
    }

    public static void main(String[] arguments) throws Exception {
        List<Thread> members = new ArrayList<>();
        for (String spec : List.of(arguments).subList(2, arguments.length)) {
            Map<String, String> own = new HashMap<>();
            for (String pair : spec.split(",")) own.put(pair.split("=")[0], pair.split("=")[1]);
            Thread member = new Thread(() -> {
                Member told = new Member(arguments[0], arguments[1], own);
                try {
                    told.run();
                } catch (RuntimeException fault) {
                    say(told.who, "died " + Member.one(fault));
                    fault.printStackTrace();
                }
                flush();
            });
            member.start();
            members.add(member);
        }
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            stopping = true;
            try {
                for (Thread member : members) member.join(30_000);
            } catch (InterruptedException cut) {
                throw new IllegalStateException(cut);
            }
            flush();
        }));
        for (Thread member : members) member.join();
    }

    static final class Member implements ConsumerRebalanceListener {
        final String who, topic, commit;
        final boolean steps;
        final KafkaConsumer<String, String> consumer;
        /** The offset after what it has seen of each partition that it holds. */
        final Map<TopicPartition, OffsetAndMetadata> seen = new HashMap<>();
        int count;
        /** Something of it is not committed, as far as is known. */
        boolean dirty;
        TopicPartition paused;
        long resumeAt;
        boolean stepped;

        Member(String bootstrap, String topic, Map<String, String> own) {
            this.topic = topic;
            who = own.get("group") + " " + own.get("member");
            commit = own.get("commit");
            steps = own.containsKey("steps");
            Properties p = new Properties();
            p.put("bootstrap.servers", bootstrap);
            p.put("group.id", own.get("group"));
            p.put("key.deserializer", StringDeserializer.class);
            p.put("value.deserializer", StringDeserializer.class);
            p.put("auto.offset.reset", "earliest");
            p.put("enable.auto.commit", commit.equals("auto"));
            p.put("auto.commit.interval.ms", 500);
            p.put("reconnect.backoff.max.ms", 200);
            p.put("interceptor.classes", Overheard.class.getName());
            p.put("members.who", who);
            if (own.get("protocol").equals("consumer")) {
                p.put("group.protocol", "consumer");
                p.put("group.remote.assignor", own.get("assignor"));
            } else {
                p.put("partition.assignment.strategy", CLASSES.get(own.get("assignor")));
                p.put("session.timeout.ms", own.get("session"));
                p.put("heartbeat.interval.ms", 500);
            }
            if (own.containsKey("instance")) p.put("group.instance.id", own.get("instance"));
            consumer = new KafkaConsumer<>(p);
        }

        void run() {
            consumer.subscribe(List.of(topic), this);
            while (!stopping) {
                ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(100));
                for (ConsumerRecord<String, String> r : records) {
                    say(who, "saw " + r.partition() + " " + r.offset() + " " + r.value());
                    seen.put(new TopicPartition(topic, r.partition()), new OffsetAndMetadata(r.offset() + 1));
                    count++;
                    dirty = true;
                }
                flush();
                if (dirty) commit(commit.equals("async"));
                try {
                    if (steps) step();
                } catch (IllegalStateException gone) { // the partition, a moment ago
                    paused = null;
                }
            }
            commit(false);
            consumer.close();
            say(who, "closed");
        }

        void commit(boolean async) {
            if (commit.equals("auto") || seen.isEmpty()) return;
            Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>(seen);
            dirty = false;
            if (async) {
                consumer.commitAsync(offsets, (done, fault) -> { if (fault != null) refused(fault); });
                return;
            }
            try {
                consumer.commitSync(offsets);
            } catch (KafkaException fault) {
                refused(fault);
            }
        }

        void refused(Exception fault) {
            dirty = true;
            say(who, "error " + one(fault));
        }

        /** Once: a partition is paused for a while, resumed, and gone back in. */
        void step() {
            if (paused == null && !stepped && count > 30 && !consumer.assignment().isEmpty()) {
                paused = consumer.assignment().iterator().next();
                resumeAt = System.currentTimeMillis() + 1000;
                consumer.pause(List.of(paused));
                say(who, "paused " + paused.partition());
            } else if (paused != null && System.currentTimeMillis() > resumeAt) {
                say(who, "resumed " + paused.partition());
                consumer.resume(List.of(paused));
                long back = Math.max(0, consumer.position(paused) - 5);
                consumer.seek(paused, back);
                say(who, "seek " + paused.partition() + " " + back);
                paused = null;
                stepped = true;
            }
        }

        static String one(Exception fault) { return fault.toString().replace('\n', ' '); }

        static String list(Collection<TopicPartition> partitions) {
            return partitions.stream().map(partition -> " " + partition.partition()).collect(Collectors.joining());
        }

        void gone(String how, Collection<TopicPartition> partitions) {
            if (paused != null && partitions.contains(paused)) paused = null;
            seen.keySet().removeAll(partitions);
            say(who, how + list(partitions));
            flush();
        }

        @Override public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            say(who, "assigned" + list(partitions));
            flush();
        }

        @Override public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            commit(false);
            gone("revoked", partitions);
        }

        @Override public void onPartitionsLost(Collection<TopicPartition> partitions) {
            gone("lost", partitions);
        }
    }
}
