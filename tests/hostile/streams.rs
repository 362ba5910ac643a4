//! The hostile streams, each with a name.

use fcgi::internals::protocol::{RecordType, Role};

use testkit::wire::{
    abort, begin, begin_role, get_values, padded, pairs, params, record, request, stdin,
};

/// A stream's name and bytes.
pub(crate) type Stream = (&'static str, Vec<u8>);

/// Returns all streams.
pub(crate) fn all() -> Vec<Stream> {
    [not_fastcgi(), headers(), begins(), parameters(), bodies(), management(), aborts(), floods()]
        .concat()
}

/// Returns a header with every byte chosen.
fn header(version: u8, kind: u8, id: u16, length: u16, padding: u8) -> Vec<u8> {
    let ([id_high, id_low], [high, low]) = (id.to_be_bytes(), length.to_be_bytes());
    vec![version, kind, id_high, id_low, high, low, padding, 0]
}

/// Returns a record with any type byte.
fn typed(kind: u8, id: u16, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap();
    [header(1, kind, id, length, 0).as_slice(), content].concat()
}

/// Returns pseudo-random bytes, the same in every run.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    (0..count).map(step).collect()
}

/// Returns `rest` after the record that precedes the parameters.
fn after_begin(rest: &[Vec<u8>]) -> Vec<u8> {
    [begin(1, false), rest.concat()].concat()
}

/// Returns `rest` after the records that precede the body.
fn after_head(rest: &[Vec<u8>]) -> Vec<u8> {
    [begin(1, false), params(1, &[]), rest.concat()].concat()
}

/// Returns a request whose PARAMS records have this content, whole or truncated.
fn with_params(content: &[u8]) -> Vec<u8> {
    let pieces = content.chunks(0xffff).map(|piece| record(RecordType::PARAMS, 1, piece));
    let content: Vec<u8> = pieces.flatten().collect();
    after_begin(&[content, record(RecordType::PARAMS, 1, b""), stdin(1, b"")])
}

fn not_fastcgi() -> Vec<Stream> {
    vec![
        ("nothing at all", Vec::new()),
        ("an HTTP request", b"GET / HTTP/1.1\r\nHost: here\r\n\r\n".to_vec()),
        (
            "a TLS hello",
            [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], &noise(509)].concat(),
        ),
        ("an SSH banner", b"SSH-2.0-client\r\n".to_vec()),
        ("an HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("an uwsgi packet", b"\x00\x0b\x00\x00\x01\x00A\x04\x00here".to_vec()),
        ("an SCGI request", b"24:CONTENT_LENGTH\x000\x00SCGI\x001\x00,".to_vec()),
        ("a line of text", b"hello\n".to_vec()),
        ("all zero", vec![0; 10_000]),
        ("all ones", vec![0xff; 10_000]),
        ("all 0x01", vec![1; 10_000]),
        ("noise", noise(100_000)),
        ("a request and then noise", [request(1, true, &[], b""), noise(100_000)].concat()),
    ]
}

fn headers() -> Vec<Stream> {
    let good = request(1, false, &[("A", "B")], b"body");
    let version = |version: u8| [vec![version], good[1..].to_vec()].concat();
    let second = |version: u8| [good[..16].to_vec(), vec![version], good[17..].to_vec()].concat();
    vec![
        ("version 0", version(0)),
        ("version 2", version(2)),
        ("version 127", version(127)),
        ("version 255", version(255)),
        ("version 0 in the parameters", second(0)),
        ("version 2 in the parameters", second(2)),
        ("version 2 in the body", after_head(&[header(2, 5, 1, 4, 0), b"body".to_vec()])),
        ("version 2 in management", header(2, 9, 0, 0, 0)),
        ("one byte", good[..1].to_vec()),
        ("half a header", good[..4].to_vec()),
        ("a header but for its last byte", good[..7].to_vec()),
        ("a header alone", good[..8].to_vec()),
        ("the reserved byte is set", [good[..7].to_vec(), vec![0xff], good[8..].to_vec()].concat()),
        ("claims 65,535 bytes and sends none", header(1, 4, 1, 0xffff, 0xff)),
        ("claims 65,535 bytes of body", after_head(&[header(1, 5, 1, 0xffff, 0xff)])),
        ("claims padding and sends none", after_head(&[header(1, 5, 1, 0, 0xff)])),
        ("type 0", typed(0, 1, b"content")),
        ("types 0 to 255 of a request", (0..=255).flat_map(|kind| typed(kind, 1, b"x")).collect()),
        ("types 0 to 255 of none", (0..=255).flat_map(|kind| typed(kind, 0, b"x")).collect()),
        ("types 255 to 0", (0..=255).rev().flat_map(|kind| typed(kind, 1, b"xy")).collect()),
        ("an application's STDOUT", after_begin(&[typed(6, 1, b"out")])),
        ("an application's STDERR", after_head(&[typed(7, 1, b"err")])),
        ("an application's END_REQUEST", after_head(&[typed(3, 1, &[0; 8])])),
        ("an application's END_REQUEST before all", typed(3, 1, &[0; 8])),
    ]
}

fn begins() -> Vec<Stream> {
    let long = record(RecordType::BEGIN_REQUEST, 1, &[[0, 1, 0].as_slice(), &[0; 60_000]].concat());
    let many = |step: u16| (1..=1000).flat_map(move |id| begin(id * step, true)).collect();
    vec![
        ("BEGIN_REQUEST without content", record(RecordType::BEGIN_REQUEST, 1, b"")),
        ("BEGIN_REQUEST of one byte", record(RecordType::BEGIN_REQUEST, 1, b"\0")),
        ("BEGIN_REQUEST of seven bytes", record(RecordType::BEGIN_REQUEST, 1, b"\0\x01\0\0\0\0\0")),
        ("BEGIN_REQUEST of 60,003 bytes", long),
        (
            "BEGIN_REQUEST with padding",
            padded(RecordType::BEGIN_REQUEST, 1, &[0, 1, 0, 0, 0, 0, 0, 0], 255),
        ),
        ("BEGIN_REQUEST of management", begin(0, false)),
        ("BEGIN_REQUEST with every flag", typed(1, 1, &[0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])),
        ("role 0", begin_role(1, Role::Unknown(0), false)),
        ("role 4, kept", begin_role(1, Role::Unknown(4), true)),
        (
            "role 65,535 and its request",
            [begin_role(1, Role::Unknown(0xffff), true), params(1, &[("A", "B")]), stdin(1, b"x")]
                .concat(),
        ),
        ("BEGIN_REQUEST twice", [begin(1, true), begin(1, true)].concat()),
        (
            "BEGIN_REQUEST in the parameters",
            [begin(1, true), record(RecordType::PARAMS, 1, b"\x05\x05ab"), begin(1, true)].concat(),
        ),
        ("BEGIN_REQUEST in the body", after_head(&[begin(1, true), begin(2, true)])),
        ("a thousand BEGIN_REQUESTs", many(1)),
        ("a thousand BEGIN_REQUESTs far apart", many(65)),
        (
            "a thousand BEGIN_REQUESTs of one id",
            many(0).into_iter().chain(begin(1, true).repeat(1000)).collect(),
        ),
        ("a thousand unknown roles", begin_role(1, Role::Unknown(9), true).repeat(1000)),
        ("a thousand requests at once", request(1, true, &[("A", "B")], b"body").repeat(1000)),
        (
            "requests with ids that interleave",
            [
                begin(1, true),
                begin(2, true),
                params(2, &[("X", "2")]),
                params(1, &[("X", "1")]),
                stdin(2, b"2"),
                stdin(1, b"1"),
            ]
            .concat(),
        ),
    ]
}

fn parameters() -> Vec<Stream> {
    let thousands: Vec<u8> =
        (0..5000).flat_map(|n| pairs(&[(&format!("NAME_{n}"), "value")])).collect();
    let names = |name: &[u8]| with_params(&[&[name.len() as u8, 1], name, b"v"].concat());
    let cut = |content: &[u8]| with_params(content);
    let open = |content: &[u8]| after_begin(&[record(RecordType::PARAMS, 1, content)]);
    let single =
        thousands.chunks(1).take(3000).flat_map(|byte| record(RecordType::PARAMS, 1, byte));
    vec![
        ("PARAMS before BEGIN_REQUEST", params(1, &[("A", "B")])),
        (
            "PARAMS of another id",
            after_begin(&[params(2, &[("A", "B")]), params(1, &[]), stdin(1, b"")]),
        ),
        (
            "PARAMS of no id",
            after_begin(&[params(0, &[("A", "B")]), params(1, &[]), stdin(1, b"")]),
        ),
        ("PARAMS after their end", after_head(&[params(1, &[("LATE", "1")]), stdin(1, b"")])),
        ("five thousand parameters", with_params(&thousands)),
        ("five thousand parameters, cut", with_params(&thousands[..thousands.len() - 1])),
        ("one name five thousand times", with_params(&pairs(&[("A", "B")]).repeat(5000))),
        ("a hundred thousand empty pairs", with_params(&vec![0; 200_000])),
        ("parameters in records of one byte", after_begin(&[single.collect(), params(1, &[])])),
        ("a name of NULs", names(b"\0\0\0\0")),
        ("a NUL in a name", names(b"A\0B")),
        ("'=' in a name", names(b"PATH=/evil")),
        ("a name of '='", names(b"====")),
        ("a line end in a name", names(b"A\r\nB")),
        ("a name that is no text", names(b"\xff\xfe\x80\xc3")),
        ("an empty name", names(b"")),
        ("LD_PRELOAD", with_params(&pairs(&[("LD_PRELOAD", "/evil.so"), ("IFS", "x")]))),
        ("FCGI_ROLE", with_params(&pairs(&[("FCGI_ROLE", "FILTER")]))),
        ("a NUL in a value", with_params(b"\x01\x05Aab\0cd")),
        ("CONTENT_LENGTH is negative", with_params(&pairs(&[("CONTENT_LENGTH", "-1")]))),
        (
            "CONTENT_LENGTH is beyond all numbers",
            with_params(&pairs(&[("CONTENT_LENGTH", &"9".repeat(400))])),
        ),
        ("a name of 2 GB", cut(b"\xff\xff\xff\xff\x00A")),
        ("a value of 2 GB", cut(b"\x01\xff\xff\xff\xffA")),
        ("name and value of 2 GB", cut(b"\xff\xff\xff\xff\xff\xff\xff\xffAB")),
        ("2 GB claimed, more to come", open(b"\xff\xff\xff\xff\xff\xff\xff\xffAB")),
        (
            "2 GB claimed a thousand times",
            with_params(&b"\xff\xff\xff\xff\xff\xff\xff\xff".repeat(1000)),
        ),
        (
            "1 GB claimed, 1 MB sent",
            with_params(&[b"\x01\xc0\0\0\0".to_vec(), vec![b'v'; 1 << 20]].concat()),
        ),
        ("a length of one byte of four", cut(b"\x80")),
        ("a length of three bytes of four", cut(b"\x80\0\0")),
        ("a name's length and no more", cut(b"\x05")),
        ("one byte too few", cut(b"\x03\x03ABCde")),
        ("one byte too many", cut(b"\x03\x03ABCdef\x01")),
        ("a long form for zero", cut(b"\x80\0\0\0\x80\0\0\0")),
        ("a value of 1 MB", with_params(&pairs(&[("BIG", &"v".repeat(1 << 20))]))),
        ("a name of 1 MB", with_params(&pairs(&[(&"N".repeat(1 << 20), "v")]))),
        ("17 MB of parameters", with_params(&pairs(&[("BIG", &"v".repeat(17 << 20))]))),
        (
            "17 MB of parameters in small pairs",
            with_params(&pairs(&[("AB", "cd")]).repeat(3 << 20)),
        ),
        (
            "17 MB of parameters without an end",
            open(&[0; 0])
                .into_iter()
                .chain(record(RecordType::PARAMS, 1, &[b'v'; 0xffff]).repeat(280))
                .collect(),
        ),
    ]
}

fn bodies() -> Vec<Stream> {
    let other = |kind| after_head(&[record(kind, 2, &[b'x'; 60_000]).repeat(10), stdin(1, b"")]);
    vec![
        ("STDIN before BEGIN_REQUEST", stdin(1, b"body")),
        ("DATA before BEGIN_REQUEST", record(RecordType::DATA, 1, b"data")),
        ("STDIN before PARAMS", after_begin(&[stdin(1, b"body")])),
        ("a body without its end", after_head(&[record(RecordType::STDIN, 1, b"body")])),
        ("no body at all", after_head(&[])),
        ("half of a body's record", after_head(&[header(1, 5, 1, 1000, 8), vec![b'x'; 500]])),
        ("a body and half of its padding", after_head(&[header(1, 5, 1, 4, 200), vec![b'x'; 100]])),
        (
            "a body in records of one byte",
            after_head(&[record(RecordType::STDIN, 1, b"x").repeat(5000), stdin(1, b"")]),
        ),
        (
            "padding of 255 behind every byte",
            after_head(&[padded(RecordType::STDIN, 1, b"x", 255).repeat(2000), stdin(1, b"")]),
        ),
        ("STDIN of another id", other(RecordType::STDIN)),
        ("DATA of another id", other(RecordType::DATA)),
        (
            "DATA for a Responder",
            after_head(&[record(RecordType::DATA, 1, &[0; 60_000]).repeat(5), stdin(1, b"")]),
        ),
        (
            "a Filter without its file",
            [begin_role(1, Role::Filter, false), params(1, &[]), stdin(1, b"x")].concat(),
        ),
        (
            "a Filter's file before its body",
            [
                begin_role(1, Role::Filter, false),
                params(1, &[]),
                record(RecordType::DATA, 1, b"file"),
                stdin(1, b""),
            ]
            .concat(),
        ),
        (
            "an Authorizer with a body",
            [begin_role(1, Role::Authorizer, false), params(1, &[]), stdin(1, &[b'x'; 200_000])]
                .concat(),
        ),
        (
            "STDIN after its end",
            after_head(&[stdin(1, b"one"), stdin(1, b"two"), stdin(1, b"three")]),
        ),
        ("a thousand ends of the body", after_head(&[stdin(1, b"").repeat(1000)])),
        (
            "an unread body of 5 MB",
            [begin(1, false), params(1, &[("READ", "10")]), stdin(1, &vec![b'x'; 5 << 20])]
                .concat(),
        ),
        (
            "an unread body without an end",
            [
                begin(1, true),
                params(1, &[("READ", "0")]),
                record(RecordType::STDIN, 1, &[b'x'; 60_000]).repeat(50),
            ]
            .concat(),
        ),
        (
            "a request inside of a body",
            [
                begin(1, true),
                params(1, &[("READ", "0")]),
                stdin(1, &request(1, true, &[("EVIL", "1")], b"")),
                request(1, false, &[], b""),
            ]
            .concat(),
        ),
        (
            "a body of the next request's id",
            after_head(&[stdin(2, b"next"), begin(2, true), stdin(1, b"")]),
        ),
    ]
}

fn management() -> Vec<Stream> {
    let known = pairs(&[("FCGI_MAX_CONNS", ""), ("FCGI_MAX_REQS", ""), ("FCGI_MPXS_CONNS", "")]);
    let values = |content: &[u8]| record(RecordType::GET_VALUES, 0, content);
    let room = 0xffff / known.len();
    vec![
        ("GET_VALUES for nothing", get_values(&[])),
        ("GET_VALUES for the unknown", get_values(&["HOME", "PATH", ""])),
        ("GET_VALUES for one name ten times", get_values(&["FCGI_MAX_CONNS"; 10])),
        ("GET_VALUES for one name, 64 KB", values(&pairs(&[("FCGI_MPXS_CONNS", "")]).repeat(3800))),
        ("GET_VALUES for all names, 64 KB", values(&known.repeat(room))),
        ("GET_VALUES with values", values(&pairs(&[("FCGI_MAX_CONNS", &"9".repeat(60_000))]))),
        ("GET_VALUES with 2 GB claimed", values(b"\xff\xff\xff\xff\xff\xff\xff\xffFCGI_MAX_CONNS")),
        ("GET_VALUES cut in a name", values(b"\x0e\0FCGI_MAX")),
        ("GET_VALUES cut in its record", header(1, 9, 0, 1000, 0)),
        ("GET_VALUES of empty names", values(&[0; 60_000])),
        ("GET_VALUES of a request", record(RecordType::GET_VALUES, 1, &known)),
        (
            "GET_VALUES in the parameters",
            after_begin(&[values(&known), params(1, &[]), stdin(1, b"")]),
        ),
        ("GET_VALUES in the body", after_head(&[values(&known), stdin(1, b"x"), values(&known)])),
        ("GET_VALUES_RESULT", record(RecordType::GET_VALUES_RESULT, 0, &known)),
        ("UNKNOWN_TYPE", typed(11, 0, &[12, 0, 0, 0, 0, 0, 0, 0])),
        ("management of type 12", typed(12, 0, &[0; 65_535])),
        (
            "management of type 255 in a body",
            after_head(&[typed(255, 0, &[0; 65_535]), stdin(1, b"")]),
        ),
        (
            "management of type 99 with padding",
            padded(RecordType::from_byte(99), 0, &[1; 1000], 255),
        ),
    ]
}

fn aborts() -> Vec<Stream> {
    vec![
        ("ABORT_REQUEST of nothing", abort(1)),
        ("ABORT_REQUEST of management", abort(0)),
        ("ABORT_REQUEST after BEGIN_REQUEST", after_begin(&[abort(1)])),
        (
            "ABORT_REQUEST in the parameters",
            after_begin(&[record(RecordType::PARAMS, 1, b"\x09\x09half"), abort(1)]),
        ),
        (
            "ABORT_REQUEST in the body",
            after_head(&[record(RecordType::STDIN, 1, b"half"), abort(1)]),
        ),
        ("ABORT_REQUEST of another id", after_head(&[abort(2), stdin(1, b"")])),
        (
            "ABORT_REQUEST with content",
            after_head(&[record(RecordType::ABORT_REQUEST, 1, &[0xff; 60_000])]),
        ),
        ("ABORT_REQUEST twice", after_head(&[abort(1), abort(1)])),
        (
            "ABORT_REQUEST and the next request",
            [begin(1, true), abort(1), request(1, true, &[], b"")].concat(),
        ),
        ("begun and aborted a thousand times", [begin(1, true), abort(1)].concat().repeat(1000)),
        (
            "aborted in the body a thousand times",
            [begin(1, true), params(1, &[]), abort(1)].concat().repeat(1000),
        ),
    ]
}

fn floods() -> Vec<Stream> {
    let ids = (1..=5000).flat_map(abort).collect();
    vec![
        ("a flood of GET_VALUES", get_values(&["FCGI_MAX_CONNS"; 100]).repeat(1000)),
        ("a flood of unknown management", typed(77, 0, b"").repeat(20_000)),
        ("a flood of ABORT_REQUESTs", abort(1).repeat(20_000)),
        ("a flood of ABORT_REQUESTs of all ids", ids),
        ("a flood of empty records", record(RecordType::STDIN, 9, b"").repeat(20_000)),
        ("a flood of padding", padded(RecordType::DATA, 9, b"", 255).repeat(20_000)),
        (
            "a flood of GET_VALUES in a body",
            after_head(&[get_values(&["FCGI_MAX_REQS"]).repeat(5000), stdin(1, b"")]),
        ),
        (
            "a flood of other requests in a body",
            after_head(&[begin(2, true).repeat(5000), stdin(1, b"")]),
        ),
    ]
}
