import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.HexFormat;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Reads lines of a pattern and texts, in hexadecimal UTF-8 between tabs; says of each text what the first group caught, "-" where nothing matched. */
public class JavaPatterns {
    public static void main(String[] arguments) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] parts = line.split("\t", -1);
            Pattern pattern = Pattern.compile(text(parts[0]));
            StringBuilder said = new StringBuilder();
            for (int at = 1; at < parts.length; at++) {
                Matcher matcher = pattern.matcher(text(parts[at]));
                String caught = matcher.find() ? hex(matcher.group(1) == null ? "" : matcher.group(1)) : "-";
                said.append(at == 1 ? "" : "\t").append(caught);
            }
            System.out.println(said);
        }
    }

    private static String text(String hex) throws Exception {
        return new String(HexFormat.of().parseHex(hex), "UTF-8");
    }

    private static String hex(String text) throws Exception {
        return HexFormat.of().formatHex(text.getBytes("UTF-8"));
    }
}
