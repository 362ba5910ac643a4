// Serves the listen socket on descriptor 0: answers with parameters and the body.

// Throws what a negative result means.
ssize_t check (ssize_t result) throws IOError {
	if (result < 0) {
		throw new IOError.FAILED ("%s", FCGX.error_text ((int) result));
	}
	return result;
}

void serve (FCGX.Request request) throws IOError {
	unowned string method = request.param ("REQUEST_METHOD") ?? "";
	unowned string query = request.param ("QUERY_STRING") ?? "";
	unowned string? value = request.param (query);
	size_t count = 0;
	while (request.param_at (count) != null) {
		count++;
	}

	var head = new StringBuilder ("Content-Type: application/octet-stream\r\n");
	head.append (@"X-Method: $method\r\nX-Query: $query\r\nX-Params: $count\r\n");
	if (value != null) {
		head.append (@"X-Value: $value\r\n");
	}
	head.append ("\r\n");
	check (request.write (head.data));

	uint8 piece[65536];
	ssize_t size;
	while ((size = check (request.read (piece))) > 0) {
		check (request.write (piece[0:size]));
	}
	check (request.log ("served by Vala\n".data));
	check (request.end (query == "status=7" ? 7 : 0));
}

int main () {
	var request = new FCGX.Request (0, FCGX.TAKE_SIGNALS);
	try {
		int next;
		while ((next = request.next (-1)) != FCGX.SHUT_DOWN) {
			check (next);
			try {
				serve (request);
			} catch (IOError error) {
				printerr ("echo: %s\n", error.message);
			}
		}
	} catch (IOError error) {
		printerr ("echo: %s\n", error.message);
		return 1;
	}
	return 0;
}
