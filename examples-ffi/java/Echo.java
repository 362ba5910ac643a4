import com.sun.jna.Library;
import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import com.sun.jna.Pointer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;

/** Serves the listen socket on descriptor 0: answers with parameters and the body. */
public class Echo {
    static final int SHUT_DOWN = -10001;
    static final int TAKE_SIGNALS = 2;

    /** fcgi_request.h; NativeLong has the size of a size_t and of a ptrdiff_t. */
    interface Fcgi extends Library {
        Fcgi LIB = Native.load("libfcgi.so.0", Fcgi.class);

        String FCGX_ErrorText(int result);
        Pointer FCGX_RequestNew(int socket, int flags);
        void FCGX_RequestFree(Pointer request);
        int FCGX_RequestNext(Pointer request, int timeout);
        int FCGX_RequestEnd(Pointer request, int status);
        Pointer FCGX_RequestParamAt(Pointer request, NativeLong index, NativeLong[] name, NativeLong[] length);
        NativeLong FCGX_RequestRead(Pointer request, byte[] buffer, NativeLong size);
        NativeLong FCGX_RequestWrite(Pointer request, byte[] data, NativeLong size);
        NativeLong FCGX_RequestLog(Pointer request, byte[] text, NativeLong size);
    }

    static NativeLong size(long size) {
        return new NativeLong(size);
    }

    /** Throws what a negative result means. */
    static int check(Number result) throws IOException {
        if (result.intValue() < 0) {
            throw new IOException(Fcgi.LIB.FCGX_ErrorText(result.intValue()));
        }
        return result.intValue();
    }

    /** Returns the parameters; each char is a byte. */
    static Map<String, String> params(Pointer request) {
        var params = new HashMap<String, String>();
        NativeLong[] name = {size(0)};
        NativeLong[] length = {size(0)};
        for (int i = 0; ; i++) {
            Pointer entry = Fcgi.LIB.FCGX_RequestParamAt(request, size(i), name, length);
            if (entry == null) {
                return params;
            }
            var text = new String(entry.getByteArray(0, length[0].intValue()), StandardCharsets.ISO_8859_1);
            params.put(text.substring(0, name[0].intValue()), text.substring(name[0].intValue() + 1));
        }
    }

    static void serve(Pointer request) throws IOException {
        Map<String, String> env = params(request);
        String query = env.getOrDefault("QUERY_STRING", "");
        String head = "Content-Type: application/octet-stream\r\nX-Method: " + env.getOrDefault("REQUEST_METHOD", "")
                + "\r\nX-Query: " + query + "\r\nX-Params: " + env.size() + "\r\n";
        if (env.containsKey(query)) {
            head += "X-Value: " + env.get(query) + "\r\n";
        }
        byte[] bytes = (head + "\r\n").getBytes(StandardCharsets.ISO_8859_1);
        check(Fcgi.LIB.FCGX_RequestWrite(request, bytes, size(bytes.length)));
        var piece = new byte[65536];
        int count;
        while ((count = check(Fcgi.LIB.FCGX_RequestRead(request, piece, size(piece.length)))) > 0) {
            check(Fcgi.LIB.FCGX_RequestWrite(request, piece, size(count)));
        }
        byte[] line = "served by Java\n".getBytes(StandardCharsets.ISO_8859_1);
        check(Fcgi.LIB.FCGX_RequestLog(request, line, size(line.length)));
        check(Fcgi.LIB.FCGX_RequestEnd(request, query.equals("status=7") ? 7 : 0));
    }

    public static void main(String[] arguments) throws IOException {
        Pointer request = Fcgi.LIB.FCGX_RequestNew(0, TAKE_SIGNALS);
        if (request == null) {
            throw new OutOfMemoryError();
        }
        int next;
        while ((next = Fcgi.LIB.FCGX_RequestNext(request, -1)) != SHUT_DOWN) {
            check(next);
            try {
                serve(request);
            } catch (IOException error) {
                System.err.println("echo: " + error.getMessage());
            }
        }
        Fcgi.LIB.FCGX_RequestFree(request);
    }
}
