//! Debian's JPIP server, which sends parts of JPEG 2000 images.

use std::fs;
use std::process::{Command, Stdio};

use super::others::answer;
use super::{bytes, listen_socket, on_both, prepare, text};
use testkit::need;
use testkit::web::http::Request;

#[test]
fn openjpip() {
    need("libopenjpip-server", "/usr/bin/opj_server");
    let packet: Vec<u8> = bytes(5_000).into_iter().map(|byte| byte & 0x7f).collect();
    on_both(|library| {
        let dir = prepare();
        let (image, header) = image(&packet);
        fs::write(dir.join("image.jp2"), image).unwrap();
        let mut server = alone("/usr/bin/opj_server");
        server.current_dir(dir.path()).stdin(listen_socket(&dir)).stderr(Stdio::null());
        answer(library, &dir, &mut server, |client| {
            let whole = "/image?target=image.jp2&fsiz=64,64&type=jpp-stream";
            for _ in 0..10 {
                let stream = client.get(whole);
                assert_eq!(stream.header("content-type"), "image/jpp-stream");
                assert_eq!(stream.header("jpip-rsiz"), "64,64");
                assert!(holds(&stream.body, &header) && holds(&stream.body, &packet));
            }
            // On a channel the server sends once what the client then has.
            let first = client.get(&format!("{whole}&cnew=http"));
            assert!(holds(&first.body, &packet));
            let opened = first.header("jpip-cnew");
            let channel = opened.strip_prefix("cid=").and_then(|rest| rest.split_once(','));
            let (channel, _) = channel.unwrap_or_else(|| panic!("{opened:?}"));
            let again = client.get(&format!("/image?cid={channel}&fsiz=64,64&type=jpp-stream"));
            assert_eq!(again.header("jpip-rsiz"), "64,64");
            assert!(!holds(&again.body, &packet));

            let missing = "/image?target=none.jp2&fsiz=64,64&type=jpp-stream";
            let missing = client.send(Request { target: missing, ..Request::default() }).unwrap();
            assert_eq!((missing.status, text(missing)), (404, String::new()));
        });
    });
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Returns a command that runs a program in a network of its own where the system permits it, because the program
/// listens on a fixed port, too.
fn alone(program: &str) -> Command {
    let namespace = ["--map-root-user", "--net"];
    let mut attempt = Command::new("unshare");
    attempt.args(namespace).arg("true").stderr(Stdio::null());
    if !attempt.status().is_ok_and(|status| status.success()) {
        return Command::new(program);
    }
    let mut command = Command::new("unshare");
    command.args(namespace).arg(program);
    command
}

/// Returns a grey JPEG 2000 image of 64 x 64 pixels with the index that JPIP needs (ISO 15444-9), and the main header
/// of its codestream. The server does not decode the tile's only packet.
fn image(packet: &[u8]) -> (Vec<u8>, Vec<u8>) {
    // Size, coding style without wavelets in one layer, no quantization.
    let size = [64, 64, 0, 0, 64, 64, 0, 0].map(u32::to_be_bytes).concat();
    let size = [&[0, 0], size.as_slice(), &[0, 1, 7, 1, 1]].concat();
    let segments =
        [(0xff51, size), (0xff52, vec![0, 2, 0, 1, 0, 0, 4, 4, 0, 1]), (0xff5c, vec![0x40, 0x40])];
    let mut main = vec![0xff, 0x4f];
    let mut index = Vec::new();
    for (n, (code, content)) in (0_u16..).zip(segments) {
        let length = u16::try_from(content.len() + 2).unwrap();
        main.extend(u16::to_be_bytes(code));
        index.push(segment_index(code, 2 - n, main.len(), length));
        main.extend(length.to_be_bytes());
        main.extend(content);
    }
    let tile_length = u32::try_from(14 + packet.len()).unwrap().to_be_bytes();
    let tile: [&[u8]; 4] = [&[0xff, 0x90, 0, 10, 0, 0], &tile_length, &[0, 1, 0xff, 0x93], packet];
    let tile = tile.concat();
    let codestream = [main.as_slice(), &tile, &[0xff, 0xd9]].concat();

    let boxes = [
        boxed(b"mhix", &[long(main.len()), index.concat()]),
        boxed(b"tpix", &[fragment(main.len(), tile.len())]),
        listed(b"thix", &boxed(b"mhix", &[long(14), segment_index(0xff90, 0, main.len() + 2, 10)])),
        listed(b"ppix", &fragment(main.len() + 14, packet.len())),
    ];
    let mut file = boxed(b"jP  ", &[vec![0x0d, 0x0a, 0x87, 0x0a]]);
    file.extend(boxed(b"ftyp", &[b"jp2 \0\0\0\0jp2 ".to_vec()]));
    let header = boxed(b"ihdr", &[vec![0, 0, 0, 64, 0, 0, 0, 64, 0, 1, 7, 7, 0, 0]]);
    let colour = boxed(b"colr", &[vec![1, 0, 0, 0, 0, 0, 17]]);
    file.extend(boxed(b"jp2h", &[header, colour]));
    let code_at = file.len() + 24;
    let pointer = [vec![0; 4], long(code_at + 8), long(codestream.len())];
    let headers = boxes.iter().map(|content| content[..8].to_vec()).collect::<Vec<_>>();
    let index = [boxed(b"cptr", &pointer), boxed(b"manf", &headers)];
    let index = boxed(b"cidx", &[index.concat(), boxes.concat()]);
    let code = boxed(b"jp2c", &[codestream]);
    let index_at = code_at + code.len();
    let proxy = [long(code_at), code[..8].to_vec(), vec![1], long(index_at), index[..8].to_vec()];
    let finder = boxed(b"fidx", &[boxed(b"prxy", &proxy)]);
    file.extend(boxed(b"iptr", &[long(index_at + index.len()), long(finder.len())]));
    file.extend([code, index, finder].concat());
    (file, main)
}

/// Returns a box of an ISO file: length, type, contents.
fn boxed(kind: &[u8; 4], contents: &[Vec<u8>]) -> Vec<u8> {
    let contents = contents.concat();
    let length = u32::try_from(8 + contents.len()).unwrap();
    [length.to_be_bytes().as_slice(), kind, &contents].concat()
}

/// Returns a box that holds another one and, before it, the list of what it holds.
fn listed(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    boxed(kind, &[boxed(b"manf", &[content[..8].to_vec()]), content.to_vec()])
}

/// Returns where a marker segment is, how long it is, and how many follow.
fn segment_index(code: u16, following: u16, at: usize, length: u16) -> Vec<u8> {
    let at = long(at);
    [&code.to_be_bytes(), &following.to_be_bytes(), at.as_slice(), &length.to_be_bytes()].concat()
}

/// Returns the index of one element.
fn fragment(at: usize, length: usize) -> Vec<u8> {
    let fields = [1, 1, at, length].map(|field| u32::try_from(field).unwrap().to_be_bytes());
    boxed(b"faix", &[vec![0], fields.concat()])
}

fn long(number: usize) -> Vec<u8> {
    u64::try_from(number).unwrap().to_be_bytes().to_vec()
}
