package peers;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.time.Duration;
import java.time.Instant;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.EmitStrategy;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;

/** Kafka Streams, exactly once. Arguments: bootstrap, source, sink, group, copy, filter or windows, milliseconds between commits. */
public final class StreamsPeer {
    private static final ObjectMapper JSON = new ObjectMapper();
    /** Those of tests/bench/groups.py. */
    private static final Duration SIZE = Duration.ofMillis(2_500), GRACE = Duration.ofMillis(2_000);

    public static void main(String[] words) throws Exception {
        String source = words[1], sink = words[2];
        Properties settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, words[0]);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, words[3]);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, Files.createTempDirectory("streams").toString());
        settings.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class);
        settings.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class);
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, words[5]);
        settings.put("auto.offset.reset", "earliest");
        StreamsBuilder builder = new StreamsBuilder();
        switch (words[4]) {
            case "copy" -> builder.<byte[], byte[]>stream(source).to(sink);
            case "filter" -> filtered(builder.stream(source)).to(sink);
            default -> windows(builder, source).to(sink, Produced.with(Serdes.String(), Serdes.ByteArray()));
        }
        new KafkaStreams(builder.build(), settings).start();
        Thread.currentThread().join();
    }

    private static KStream<byte[], byte[]> filtered(KStream<byte[], byte[]> records) {
        return records.mapValues(StreamsPeer::parsed).filter((key, row) -> row.get("amount").asDouble() > 50).mapValues(row -> {
            ObjectNode made = JSON.createObjectNode();
            made.set("id", row.get("id"));
            made.set("user", row.get("user"));
            made.put("doubled", row.get("amount").asDouble() * 2);
            return written(made);
        });
    }

    /** An order is parsed once, and its value is eight bytes in the sums. */
    private static KStream<String, byte[]> windows(StreamsBuilder builder, String source) {
        Serde<Order> orders = Serdes.serdeFrom((topic, order) -> null, (topic, value) -> {
            JsonNode row = parsed(value);
            return new Order(Instant.parse(row.get("at").asText()).toEpochMilli(), row.get("amount").asLong());
        });
        return builder.stream(source, Consumed.with(Serdes.String(), orders)
                .withTimestampExtractor((record, before) -> ((Order) record.value()).at()))
            .groupByKey(Grouped.with(Serdes.String(), orders))
            .windowedBy(TimeWindows.ofSizeAndGrace(SIZE, GRACE))
            .emitStrategy(EmitStrategy.onWindowClose())
            .aggregate(() -> new byte[16], (key, order, sums) -> {
                ByteBuffer before = ByteBuffer.wrap(sums);
                return ByteBuffer.allocate(16).putLong(before.getLong() + 1).putLong(before.getLong() + order.amount()).array();
            }, Materialized.with(Serdes.String(), Serdes.ByteArray()))
            .toStream()
            .map((window, sums) -> {
                ByteBuffer found = ByteBuffer.wrap(sums);
                ObjectNode made = JSON.createObjectNode();
                made.put("window_start", window.window().startTime().toString());
                made.put("user", window.key());
                made.put("orders", found.getLong());
                made.put("total", found.getLong());
                return KeyValue.pair(window.key(), written(made));
            });
    }

    private record Order(long at, long amount) {}

    private static JsonNode parsed(byte[] value) {
        try {
            return JSON.readTree(value);
        } catch (IOException bad) {
            throw new UncheckedIOException(bad);
        }
    }

    private static byte[] written(JsonNode row) {
        try {
            return JSON.writeValueAsBytes(row);
        } catch (IOException bad) {
            throw new UncheckedIOException(bad);
        }
    }
}
