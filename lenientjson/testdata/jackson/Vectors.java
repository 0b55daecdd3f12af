// Asks Jackson what it makes of each input, and prints the answers as JSON lines, for TestJackson.
//
//   CP=/usr/share/java/jackson-core.jar            (Debian: libjackson2-core-java 2.14.1)
//   java -cp $CP Vectors.java > vectors.jsonl
//
// Each input is read twice: as a stream of bytes and through a strict UTF-8 reader, which are two parsers in Jackson.
// A line has the input (base64), and for each of the two what came: the requests that were complete, as JSON, and how
// it ended: "ok", "eof" (inside a request), "error", or one of the protocol's own rules, which Jackson knows nothing of:
// "scalar" (no object where a command should be) and "deep" (more than 64 levels).

import com.fasterxml.jackson.core.*;
import com.fasterxml.jackson.core.io.JsonEOFException;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import java.io.*;
import java.nio.charset.*;
import java.util.*;

public class Vectors {
    static final JsonFactory FACTORY = JsonFactory.builder()
        .enable(JsonReadFeature.ALLOW_SINGLE_QUOTES)
        .enable(JsonReadFeature.ALLOW_UNQUOTED_FIELD_NAMES)
        .enable(JsonReadFeature.ALLOW_TRAILING_COMMA)
        .build();

    static class Stop extends Exception {
        Stop(String why) { super(why); }
    }

    // value writes the value whose first token is current, and moves to its last.
    static void value(JsonParser p, StringBuilder out, int depth) throws Exception {
        if (depth > 64) throw new Stop("deep");
        boolean first = true;
        switch (p.currentToken()) {
        case START_OBJECT:
            out.append('{');
            while (p.nextToken() != JsonToken.END_OBJECT) {
                if (p.currentToken() == null) throw new JsonEOFException(p, null, "end");
                if (!first) out.append(',');
                first = false;
                quote(p.getCurrentName(), out);
                out.append(':');
                if (p.nextToken() == null) throw new JsonEOFException(p, null, "end");
                value(p, out, depth + 1);
            }
            out.append('}');
            return;
        case START_ARRAY:
            out.append('[');
            while (p.nextToken() != JsonToken.END_ARRAY) {
                if (p.currentToken() == null) throw new JsonEOFException(p, null, "end");
                if (!first) out.append(',');
                first = false;
                value(p, out, depth + 1);
            }
            out.append(']');
            return;
        case VALUE_STRING:
            quote(p.getText(), out);
            return;
        default:
            out.append(p.getText());
        }
    }

    static void quote(String s, StringBuilder out) {
        out.append('"');
        for (char c : s.toCharArray()) {
            if (c < 0x20 || c > 0x7e || c == '"' || c == '\\') out.append(String.format("\\u%04x", (int) c));
            else out.append(c);
        }
        out.append('"');
    }

    static void request(JsonParser p, List<String> values) throws Exception {
        if (p.currentToken() != JsonToken.START_OBJECT) throw new Stop("scalar");
        StringBuilder out = new StringBuilder();
        value(p, out, 1);
        values.add(out.toString());
    }

    interface Source {
        JsonParser open() throws IOException;
    }

    static String read(Source source) {
        List<String> values = new ArrayList<>();
        String end = "ok";
        try {
            JsonParser p = source.open();
            for (JsonToken t = p.nextToken(); t != null; t = p.nextToken()) {
                if (t != JsonToken.START_ARRAY) {
                    request(p, values);
                    continue;
                }
                while (p.nextToken() != JsonToken.END_ARRAY) {
                    if (p.currentToken() == null) throw new JsonEOFException(p, null, "end");
                    request(p, values);
                }
            }
        } catch (JsonEOFException e) {
            end = "eof";
        } catch (Stop e) {
            end = e.getMessage();
        } catch (Exception e) {
            end = "error";
        }
        StringBuilder out = new StringBuilder("{\"end\":\"" + end + "\",\"values\":[");
        for (int i = 0; i < values.size(); i++) {
            if (i > 0) out.append(',');
            quote(values.get(i), out);
        }
        return out.append("]}").toString();
    }

    static void emit(byte[] input) throws Exception {
        String stream = read(() -> FACTORY.createParser(new ByteArrayInputStream(input)));
        CharsetDecoder strict = StandardCharsets.UTF_8.newDecoder()
            .onMalformedInput(CodingErrorAction.REPORT).onUnmappableCharacter(CodingErrorAction.REPORT);
        String reader = read(() ->
            FACTORY.createParser(new InputStreamReader(new ByteArrayInputStream(input), strict)));
        System.out.println("{\"input\":\"" + Base64.getEncoder().encodeToString(input)
            + "\",\"stream\":" + stream + ",\"reader\":" + reader + "}");
    }

    // mutate changes a few bytes: a script with a typing error, a cut line, an odd encoding.
    static byte[] mutate(byte[] input, Random random) {
        byte[] tokens = " \t\n\r{}[],:'\"\\/#@$_+-.0129eEtfnulrsa\u0000\u0001\u007f".getBytes(StandardCharsets.ISO_8859_1);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        int changes = 1 + random.nextInt(2);
        int[] at = new int[changes];
        for (int i = 0; i < changes; i++) at[i] = random.nextInt(input.length + 1);
        for (int i = 0; i <= input.length; i++) {
            boolean drop = false;
            for (int a : at) {
                if (a != i) continue;
                switch (random.nextInt(8)) {
                case 0: drop = true; break;
                case 1: return out.toByteArray();
                case 2: out.write(random.nextInt(256)); break;
                case 3: drop = true; out.write(tokens[random.nextInt(tokens.length)]); break;
                default: out.write(tokens[random.nextInt(tokens.length)]);
                }
            }
            if (i < input.length && !drop) out.write(input[i]);
        }
        return out.toByteArray();
    }

    public static void main(String[] args) throws Exception {
        List<byte[]> seeds = new ArrayList<>();
        try (BufferedReader in = new BufferedReader(new FileReader("inputs.txt", StandardCharsets.UTF_8))) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                if (!line.isEmpty() && !line.startsWith("//")) seeds.add(unescape(line));
            }
        }
        for (byte[] seed : seeds) emit(seed);
        Random random = new Random(20261121);
        for (int i = 0; i < 1500; i++) emit(mutate(seeds.get(random.nextInt(seeds.size())), random));
    }

    // unescape reads a line of inputs.txt: UTF-8, with ~XX for one byte.
    static byte[] unescape(String line) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        byte[] raw = line.getBytes(StandardCharsets.UTF_8);
        for (int i = 0; i < raw.length; i++) {
            if (raw[i] != '~') {
                out.write(raw[i]);
                continue;
            }
            out.write(Integer.parseInt(new String(raw, i + 1, 2, StandardCharsets.US_ASCII), 16));
            i += 2;
        }
        return out.toByteArray();
    }
}
