import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.FeatureUpdate;
import org.apache.kafka.clients.admin.UpdateFeaturesOptions;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.CloseOptions.GroupMembershipOperation;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.processor.StateRestoreListener;

/**
 * An instance of a Streams application: counts words, joins orders with customers and with payments.
 *
 * lines -> counted: how often each word was there. orders (id, customer) and customers (id, name) -> enriched: each order;
 * -> joined: all orders of a customer, a set, so that an order that comes twice changes nothing. orders and payments
 * (order, amount) -> paid.
 *
 *   Shop BOOTSTRAP STATE_FOLDER SESSION_MS     until SIGTERM, when it leaves its group
 *   Shop BOOTSTRAP STATE_FOLDER streams        what an instance of a streams group (KIP-1071) says where there are none
 *
 * Prints a line for whatever happens to it.
 */
public class Shop {
    public static void main(String[] words) throws Exception {
        if (words[2].equals("streams")) streamsGroup(words[0], words[1]);
        else instance(words[0], words[1], words[2]);
    }

    static Properties settings(String bootstrap, String folder) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, "shop");
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, folder);
        settings.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        settings.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.AT_LEAST_ONCE);
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 300);
        settings.put(StreamsConfig.REPARTITION_PURGE_INTERVAL_MS_CONFIG, 500);
        settings.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        return settings;
    }

    static StreamsBuilder shop() {
        StreamsBuilder builder = new StreamsBuilder();
        builder.<String, String>stream("lines")
            .flatMapValues(line -> List.of(line.split(" ")))
            .groupBy((none, word) -> word, Grouped.as("words"))
            .count(Materialized.as("counts"))
            .toStream().mapValues(String::valueOf).to("counted");

        KStream<String, String> orders = builder.stream("orders");
        KTable<String, String> customers = builder.table("customers", Materialized.as("customers"));
        KStream<String, String> ofCustomers = orders.map((order, customer) -> KeyValue.pair(customer, order))
            .repartition(Repartitioned.as("by-customer"));
        ofCustomers.join(customers, (order, name) -> order + " of " + name).to("enriched");
        ofCustomers.groupByKey()
            .aggregate(() -> "", (customer, order, all) -> with(all, order), Materialized.as("orders"))
            .join(customers, (all, name) -> name + ":" + all)
            .toStream().to("joined");

        orders.join(builder.<String, String>stream("payments"), (customer, amount) -> customer + " pays " + amount,
            JoinWindows.ofTimeDifferenceAndGrace(Duration.ofHours(1), Duration.ofHours(1)), StreamJoined.as("paid"))
            .to("paid");
        return builder;
    }

    static String with(String all, String order) {
        TreeSet<String> orders = new TreeSet<>(List.of(all.split(" ")));
        orders.add(order);
        return String.join(" ", orders);
    }

    static void instance(String bootstrap, String folder, String sessionMs) throws Exception {
        Properties settings = settings(bootstrap, folder);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG), sessionMs);
        KafkaStreams streams = new KafkaStreams(shop().build(), settings);
        streams.setStateListener((now, before) -> say("state " + now));
        streams.setUncaughtExceptionHandler(thrown -> {
            say("thrown " + root(thrown));
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        streams.setGlobalStateRestoreListener(new Restored());
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            boolean closed = streams.close(CloseOptions.timeout(Duration.ofMinutes(1))
                .withGroupMembershipOperation(GroupMembershipOperation.LEAVE_GROUP));
            say("closed " + closed);
        }));
        streams.start();
        String tasks = "";
        boolean told = false;
        while (true) {
            String now = streams.metadataForLocalThreads().stream().flatMap(thread -> thread.activeTasks().stream())
                .map(task -> task.taskId().toString()).sorted().collect(Collectors.joining(" "));
            if (!now.equals(tasks)) say("tasks " + now);
            tasks = now;
            if (!told && streams.state() == KafkaStreams.State.RUNNING) {
                tellInternalTopics(bootstrap);
                told = true;
            }
            Thread.sleep(100);
        }
    }

    static final class Restored implements StateRestoreListener {
        @Override public void onRestoreStart(TopicPartition partition, String store, long from, long to) {}

        @Override public void onBatchRestored(TopicPartition partition, String store, long to, long count) {}

        @Override public void onRestoreEnd(TopicPartition partition, String store, long count) {
            say("restored " + count + " " + partition);
        }
    }

    /** The topics that Streams has made for itself, with the configs that it gave them. */
    static void tellInternalTopics(String bootstrap) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            List<String> names = admin.listTopics().names().get().stream().filter(name -> name.startsWith("shop-"))
                .sorted().toList();
            var topics = admin.describeTopics(names).allTopicNames().get();
            List<ConfigResource> resources = names.stream()
                .map(name -> new ConfigResource(ConfigResource.Type.TOPIC, name)).toList();
            Map<ConfigResource, Config> configs = admin.describeConfigs(resources).all().get();
            for (ConfigResource resource : resources) {
                say("internal " + resource.name() + " " + topics.get(resource.name()).partitions().size() + " "
                    + own(configs.get(resource).entries()));
            }
            say("told internal topics");
        }
    }

    static String own(Collection<ConfigEntry> entries) {
        return entries.stream().filter(entry -> entry.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG)
            .map(entry -> entry.name() + "=" + entry.value()).sorted().collect(Collectors.joining(" "));
    }

    /** Apache Kafka has streams groups unless told otherwise: the feature is switched off there. */
    static void streamsGroup(String bootstrap, String folder) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            if (admin.describeFeatures().featureMetadata().get().finalizedFeatures().containsKey("streams.version")) {
                FeatureUpdate off = new FeatureUpdate((short) 0, FeatureUpdate.UpgradeType.SAFE_DOWNGRADE);
                admin.updateFeatures(Map.of("streams.version", off), new UpdateFeaturesOptions()).all().get();
            }
        }
        Properties settings = settings(bootstrap, folder);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, "shop-as-streams-group");
        settings.put(StreamsConfig.GROUP_PROTOCOL_CONFIG, "streams");
        CountDownLatch over = new CountDownLatch(1);
        KafkaStreams streams = new KafkaStreams(shop().build(), settings);
        streams.setStateListener((now, before) -> say("state " + now));
        streams.setUncaughtExceptionHandler(thrown -> {
            say("thrown " + thrown);
            say("thrown " + thrown.getCause());
            over.countDown();
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        streams.start();
        over.await();
        streams.close(Duration.ofMinutes(1));
        System.exit(0);
    }

    static Throwable root(Throwable thrown) {
        return thrown.getCause() == null ? thrown : root(thrown.getCause());
    }

    static synchronized void say(String line) {
        System.out.println(line);
        System.out.flush();
    }
}
