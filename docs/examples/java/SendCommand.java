import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Sends one statement and prints the JSON of its outcome. The outcome comes on a reply topic, which must exist and have
 * one partition.
 *
 * <p>Needs only kafka-clients:
 * java SendCommand.java 127.0.0.1:9092 jobplane. answers "DROP JOB IF EXISTS big"
 */
public class SendCommand {
    public static void main(String[] arguments) throws Exception {
        String bootstrap = arguments[0], prefix = arguments[1], answers = arguments[2], sql = arguments[3];
        String id = UUID.randomUUID().toString(); // a repeat with the same id would not be carried out again
        TopicPartition mine = new TopicPartition(answers, 0);
        Map<String, Object> kafka = Map.of("bootstrap.servers", bootstrap);
        StringSerializer text = new StringSerializer();
        StringDeserializer read = new StringDeserializer();

        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(kafka, read, read);
                KafkaProducer<String, String> producer = new KafkaProducer<>(kafka, text, text)) {
            consumer.assign(List.of(mine));
            consumer.seek(mine, consumer.endOffsets(List.of(mine)).get(mine)); // before the command is sent

            ProducerRecord<String, String> command = new ProducerRecord<>(prefix + "commands", sql);
            Map.of("command-id", id, "reply-to", answers, "issued-by", "SendCommand.java")
                    .forEach((name, said) -> command.headers().add(name, said.getBytes(StandardCharsets.UTF_8)));
            producer.send(command).get();

            for (long end = System.nanoTime() + 30_000_000_000L; System.nanoTime() < end; ) {
                for (ConsumerRecord<String, String> reply : consumer.poll(Duration.ofMillis(200))) {
                    if (id.equals(reply.key())) {
                        System.out.println(reply.value());
                        return;
                    }
                }
            }
        }
        System.err.println("no reply within 30 s; the outcome of command " + id + " stands on " + prefix + "events");
        System.exit(1);
    }
}
