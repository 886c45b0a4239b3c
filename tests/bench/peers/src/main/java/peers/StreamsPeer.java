package peers;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.KStream;

/** Kafka Streams, exactly once. Arguments: bootstrap, source, sink, group, copy or filter, milliseconds between commits. */
public final class StreamsPeer {
    private static final ObjectMapper JSON = new ObjectMapper();

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
        KStream<byte[], byte[]> records = builder.stream(source);
        (words[4].equals("copy") ? records : filtered(records)).to(sink);
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
