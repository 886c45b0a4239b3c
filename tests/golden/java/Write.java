import java.io.ByteArrayOutputStream;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.common.serialization.*;

/**
 * Writes what Kafka's serializers and Avro's GenericDatumWriter make of values: single.txt (serializer, value, bytes)
 * and records.txt (record, bytes), bytes in hexadecimal. The README beside this file says how it was run.
 */
public class Write {
    static final HexFormat HEX = HexFormat.of();

    public static void main(String[] folder) throws Exception {
        Path there = Path.of(folder[0]);
        Files.write(there.resolve("single.txt"), single(), StandardCharsets.UTF_8);
        Schema schema = new Schema.Parser().parse(there.resolve("Order.avsc").toFile());
        List<String> lines = new ArrayList<>();
        lines.add("full " + avro(full(schema)));
        lines.add("empty " + avro(empty(schema)));
        lines.add("extreme " + avro(extreme(schema)));
        Files.write(there.resolve("records.txt"), lines, StandardCharsets.UTF_8);
    }

    static List<String> single() {
        List<String> lines = new ArrayList<>();
        for (String one : List.of("", "plain", "Zürich", "日本", "\uD83D\uDE00 a\tb"))
            lines.add(line("StringSerializer", HEX.formatHex(one.getBytes(StandardCharsets.UTF_8)), new StringSerializer().serialize("t", one)));
        for (short one : new short[] {0, 1, -1, 258, Short.MIN_VALUE, Short.MAX_VALUE})
            lines.add(line("ShortSerializer", one, new ShortSerializer().serialize("t", one)));
        for (int one : new int[] {0, 1, -1, 16909060, Integer.MIN_VALUE, Integer.MAX_VALUE})
            lines.add(line("IntegerSerializer", one, new IntegerSerializer().serialize("t", one)));
        for (long one : new long[] {0, 1, -1, 72623859790382856L, Long.MIN_VALUE, Long.MAX_VALUE})
            lines.add(line("LongSerializer", one, new LongSerializer().serialize("t", one)));
        for (float one : new float[] {0f, -0f, 1.5f, 0.1f, Float.MIN_VALUE, Float.MAX_VALUE, -Float.MAX_VALUE})
            lines.add(line("FloatSerializer", (double) one, new FloatSerializer().serialize("t", one)));
        for (double one : new double[] {0d, -0d, 1.5d, 0.1d, Double.MIN_VALUE, Double.MAX_VALUE, -Double.MAX_VALUE})
            lines.add(line("DoubleSerializer", one, new DoubleSerializer().serialize("t", one)));
        byte[] bytes = {0, 1, -1, 127, -128};
        lines.add(line("ByteArraySerializer", HEX.formatHex(bytes), new ByteArraySerializer().serialize("t", bytes)));
        return lines;
    }

    static String line(String serializer, Object value, byte[] bytes) {
        return serializer + " " + value + " " + HEX.formatHex(bytes);
    }

    static String avro(GenericRecord record) throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(out, null);
        new GenericDatumWriter<GenericRecord>(record.getSchema()).write(record, encoder);
        encoder.flush();
        return HEX.formatHex(out.toByteArray());
    }

    static Schema in(Schema record, String field) {
        Schema type = record.getField(field).schema();
        return type.isUnion() ? type.getTypes().get(1) : type;
    }

    static GenericRecord full(Schema schema) {
        GenericRecord record = new GenericData.Record(schema);
        record.put("id", 1234567890123L);
        record.put("count", -77);
        record.put("amount", 12.5d);
        record.put("rate", 0.1f);
        record.put("ok", true);
        record.put("name", "Zürich");
        record.put("raw", ByteBuffer.wrap(new byte[] {0, -1}));
        record.put("digest", new GenericData.Fixed(in(schema, "digest"), new byte[] {1, 2, 3, 4}));
        record.put("colour", new GenericData.EnumSymbol(in(schema, "colour"), "GREEN"));
        record.put("key", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6");
        record.put("price", ByteBuffer.wrap(new BigDecimal("-12345.67").unscaledValue().toByteArray()));
        record.put("day", 20484);
        record.put("clock_ms", 30600123);
        record.put("clock", 30600123456L);
        record.put("at_ms", 1769848200123L);
        record.put("at", 1769848200123456L);
        record.put("local_ms", 1769848200123L);
        record.put("local", 1769848200123456L);
        record.put("tags", Arrays.asList("a", null, ""));
        Map<String, Object> sizes = new LinkedHashMap<>();
        sizes.put("one", 1L);
        sizes.put("none", null);
        record.put("sizes", sizes);
        GenericRecord address = new GenericData.Record(in(schema, "address"));
        address.put("city", "Paris");
        address.put("numbers", Arrays.asList(1, -1, 300));
        record.put("address", address);
        return record;
    }

    static GenericRecord empty(Schema schema) {
        GenericRecord record = new GenericData.Record(schema);
        record.put("id", 0L);
        record.put("tags", List.of());
        return record;
    }

    static GenericRecord extreme(Schema schema) {
        GenericRecord record = empty(schema);
        record.put("id", Long.MIN_VALUE);
        record.put("count", Integer.MAX_VALUE);
        record.put("amount", Double.MIN_VALUE);
        record.put("rate", -Float.MAX_VALUE);
        record.put("ok", false);
        record.put("name", "");
        record.put("raw", ByteBuffer.wrap(new byte[0]));
        record.put("price", ByteBuffer.wrap(new BigDecimal("9999999.99").unscaledValue().toByteArray()));
        record.put("day", -719162);
        record.put("clock", 86399999999L);
        record.put("at", -62135596800000000L);
        record.put("local", 253402300799999999L);
        List<String> tags = new ArrayList<>();
        for (int i = 0; i < 100; i++) tags.add("t" + i);
        record.put("tags", tags);
        return record;
    }
}
