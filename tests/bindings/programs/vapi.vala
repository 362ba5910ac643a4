/* By way of a VAPI file, fcgx.vapi. */

void put_header (FCGX.Request request, string header, string name) {
    unowned string? value = FCGX.get_param (name, request.envp);
    if (value != null) {
        request.out.put (header);
        request.out.put (": ");
        request.out.put (value);
        request.out.put ("\r\n");
    }
}

void serve (FCGX.Request request) {
    request.out.put ("Content-Type: application/octet-stream\r\n");
    put_header (request, "X-Method", "REQUEST_METHOD");
    put_header (request, "X-Query", "QUERY_STRING");
    put_header (request, "X-Empty", "EMPTY");
    put_header (request, "X-Long", "LONG");
    request.out.put ("\r\n");

    uint8 room[4096];
    int length;
    while ((length = request.in.read (room)) > 0) {
        request.out.write (room[0:length]);
    }
    request.err.put ("served\n");
}

int main () {
    FCGX.init ();
    var request = FCGX.Request (0, 0);
    while (request.accept () == 0) {
        serve (request);
        request.finish ();
    }
    return 0;
}
