//! Debian's programs other than scripts of these tests: process managers, and servers of other kinds.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::process::{Command, Stdio};

use super::{
    FIXTURES, SERVED, bytes, file, in_a_row, is_listening, libraries, listen_socket, mapped,
    need_perl, on_both, prepare, put_scripts, requests, serve, text, workers,
};
use crate::web::Nginx;
use testkit::web::http::Client;
use testkit::{Library, Running, TempDir, children_of, need, signal, until, until_asleep};

#[test]
fn multiwatch() {
    need("multiwatch", "/usr/bin/multiwatch");
    need("fcgiwrap", "/usr/sbin/fcgiwrap");
    on_both(|library| {
        let dir = prepare();
        put_scripts(&dir);
        let mut multiwatch = Command::new("/usr/bin/multiwatch");
        multiwatch.args(["-f", "3", "--", "/usr/sbin/fcgiwrap"]).stdin(listen_socket(&dir));
        let program = Running::start(library.under(&mut multiwatch));
        let three = || Some(workers(program.pid())).filter(|pids| pids.len() == 3);
        let pids = until("three processes", SERVED, three);
        requests(&Nginx::start(&dir).client, &dir);
        for pid in pids {
            assert_eq!(Vec::from_iter(libraries(&pid)), [file(library)]);
        }
    });
}

/// Processes that have left the test's process group. Dropping the value ends them.
struct Orphans(Vec<String>);

impl Drop for Orphans {
    fn drop(&mut self) {
        let kill = format!("kill -s KILL {}", self.0.join(" "));
        let _ = Command::new("sh").args(["-c", &kill]).status();
    }
}

#[test]
fn spawn_fcgi() {
    need("spawn-fcgi", "/usr/bin/spawn-fcgi");
    need("fcgiwrap", "/usr/sbin/fcgiwrap");
    on_both(|library| {
        let dir = prepare();
        put_scripts(&dir);
        let mut spawn = Command::new("/usr/bin/spawn-fcgi");
        spawn.args(["-F", "3", "-s"]).arg(dir.join("app.sock"));
        spawn.arg("-P").arg(dir.join("pids")).args(["--", "/usr/sbin/fcgiwrap"]);
        // Not run(): it ends the group, and the last process may not have left the group yet.
        let mut spawning = Running::start(library.under(&mut spawn).stdout(Stdio::null()));
        assert!(spawning.wait(SERVED).expect("spawn-fcgi ends").success());
        let pids = fs::read_to_string(dir.join("pids")).unwrap();
        let orphans = Orphans(pids.split_whitespace().map(str::to_owned).collect());
        assert_eq!(orphans.0.len(), 3);
        requests(&Nginx::start(&dir).client, &dir);
        for pid in &orphans.0 {
            assert_eq!(Vec::from_iter(libraries(pid)), [file(library)]);
        }
    });
}

#[test]
fn plack() {
    need_perl();
    need("libplack-perl", "/usr/share/perl5/Plack/Handler/FCGI.pm");
    on_both(|library| {
        let dir = prepare();
        let mut perl = Command::new("perl");
        perl.arg(format!("{FIXTURES}/plack.pl")).stdin(listen_socket(&dir));
        serve(library, &dir, &mut perl);
    });
}

/// Catalyst's script for FastCGI: Plack's handler, under a process manager.
#[test]
fn catalyst() {
    need_perl();
    need("libcatalyst-perl", "/usr/share/perl5/Catalyst/Script/FastCGI.pm");
    need("libfcgi-procmanager-perl", "/usr/share/perl5/FCGI/ProcManager.pm");
    on_both(|library| {
        let dir = prepare();
        let mut perl = Command::new("perl");
        perl.arg(format!("{FIXTURES}/catalyst.pl")).args(["--nproc", "2", "--listen"]);
        perl.arg(dir.join("app.sock")).env("APP_HOME", dir.path()).stdin(Stdio::null());
        perl.stderr(File::create(dir.join("catalyst.log")).unwrap());
        let mut manager = Running::start(library.under(&mut perl));
        let workers = new_workers(&manager, &BTreeSet::new(), 2);
        until("the listen socket", SERVED, || is_listening(&dir.join("app.sock")).then_some(()));
        // The script's backlog is 100 connections.
        in_a_row(&Nginx::start(&dir).client, &dir);
        assert_eq!(mapped(manager.pid()), BTreeSet::from([file(library)]));

        // A signal between a request and the next accept is lost, with any library.
        workers.into_iter().for_each(until_asleep);
        manager.signal("TERM");
        assert_eq!(manager.wait(SERVED).expect("the manager ends").code(), Some(0));
    });
}

/// The process manager replaces a process that has died, replaces all of them on SIGHUP, and replaces none
/// after SIGTERM.
#[test]
fn fcgi_procmanager() {
    need_perl();
    need("libfcgi-procmanager-perl", "/usr/share/perl5/FCGI/ProcManager.pm");
    on_both(|library| {
        let dir = prepare();
        let mut perl = Command::new("perl");
        perl.arg(format!("{FIXTURES}/procmanager.pl")).arg("3").stdin(listen_socket(&dir));
        perl.stderr(File::create(dir.join("manager.log")).unwrap());
        let mut manager = Running::start(library.under(&mut perl));
        let nginx = Nginx::start(&dir);

        let first = new_workers(&manager, &BTreeSet::new(), 3);
        requests(&nginx.client, &dir);
        assert_eq!(mapped(manager.pid()), BTreeSet::from([file(library)]));

        let dead = *first.first().unwrap();
        signal(dead, libc::SIGKILL);
        let second = new_workers(&manager, &BTreeSet::from([dead]), 3);
        assert!(second.is_superset(&(&first - &BTreeSet::from([dead]))));
        requests(&nginx.client, &dir);

        // A signal between a request and the next accept is lost, with any library.
        second.iter().copied().for_each(until_asleep);
        manager.signal("HUP");
        let third = new_workers(&manager, &second, 3);
        requests(&nginx.client, &dir);
        assert_eq!(mapped(manager.pid()), BTreeSet::from([file(library)]));

        third.iter().copied().for_each(until_asleep);
        manager.signal("TERM");
        assert_eq!(manager.wait(SERVED).expect("the manager ends").code(), Some(0));
    });
}

/// Waits until the manager has `count` processes and none of them is in `old`, and returns them.
fn new_workers(manager: &Running, old: &BTreeSet<u32>, count: usize) -> BTreeSet<u32> {
    until("new processes", SERVED, || {
        let all = children_of(manager.pid())?;
        (all.len() == count && all.is_disjoint(old)).then_some(all)
    })
}

#[test]
fn lua_wsapi() {
    need("lua-wsapi-fcgi", "/usr/bin/wsapi.fcgi");
    on_both(|library| {
        let dir = prepare();
        fs::copy(format!("{FIXTURES}/echo.lua"), dir.join("echo.lua")).unwrap();
        let mut lua = Command::new("/usr/bin/wsapi.fcgi");
        lua.stdin(listen_socket(&dir));
        answer(library, &dir, &mut lua, |client| {
            let body = bytes(5 << 20);
            let echo = client.post("/echo.lua", &body).body;
            assert!(echo == body);
            for n in 0..50 {
                assert_eq!(text(client.get(&format!("/echo.lua?n={n}"))), format!("GET n={n}"));
            }
        });
    });
}

#[test]
fn clisp() {
    need("clisp-module-fastcgi", "/usr/share/doc/clisp-module-fastcgi");
    on_both(|library| {
        let dir = prepare();
        let mut clisp = Command::new("clisp");
        clisp.args(["-q", "-q", "-norc"]).arg(format!("{FIXTURES}/hello.lisp"));
        clisp.stdin(listen_socket(&dir));
        answer(library, &dir, &mut clisp, |client| {
            for n in 0..50 {
                assert_eq!(text(client.get(&format!("/hello?n={n}"))), format!("GET n={n} "));
            }
            let body = vec![b'x'; 100_000];
            let response = client.post("/hello", &body);
            assert_eq!(response.body, [b"POST  ", body.as_slice()].concat());
        });
    });
}

#[test]
fn iipimage() {
    need("iipimage-server", "/usr/lib/iipimage-server/iipsrv.fcgi");
    on_both(|library| {
        let dir = prepare();
        fs::write(dir.join("image.tif"), image()).unwrap();
        let mut server = Command::new("/usr/lib/iipimage-server/iipsrv.fcgi");
        server.env("FILESYSTEM_PREFIX", dir.path()).env("LOGFILE", dir.join("log"));
        server.arg("--bind").arg(dir.join("app.sock")).stdin(Stdio::null());
        answer(library, &dir, &mut server, |client| {
            for _ in 0..10 {
                let tile = client.get("/program/?FIF=/image.tif&JTL=0,0");
                assert_eq!(tile.header("content-type"), "image/jpeg");
                assert!(tile.body.starts_with(b"\xff\xd8\xff") && tile.body.ends_with(b"\xff\xd9"));
            }
            let size = text(client.get("/program/?FIF=/image.tif&obj=IIP,1.0&obj=Max-size"));
            assert!(size.contains("Max-size:256 256"), "{size}");
        });
    });
}

#[test]
fn mapserver() {
    need("cgi-mapserver", "/usr/lib/cgi-bin/mapserv");
    on_both(|library| {
        let dir = prepare();
        fs::copy(format!("{FIXTURES}/square.map"), dir.join("square.map")).unwrap();
        fs::write(dir.join("mapserver.conf"), "CONFIG\nENV\nMS_MAP_PATTERN \".\"\nEND\nEND\n")
            .unwrap();
        let mut server = Command::new("/usr/lib/cgi-bin/mapserv");
        server.env("MAPSERVER_CONFIG_FILE", dir.join("mapserver.conf"));
        server.stdin(listen_socket(&dir));
        answer(library, &dir, &mut server, |client| {
            let map = dir.join("square.map");
            for _ in 0..10 {
                let png = client.get(&format!("/?map={}&mode=map", map.display()));
                assert_png(&png.body, 200);
            }
        });
    });
}

/// QGIS Server draws a map, and sends and receives features.
#[test]
fn qgis() {
    need("qgis-server-bin", "/usr/lib/cgi-bin/qgis_mapserv.fcgi");
    need("qgis-server-wms", "/usr/lib/qgis/server/libwms.so");
    need("qgis-server-wfs", "/usr/lib/qgis/server/libwfs.so");
    on_both(|library| {
        let dir = prepare();
        for name in ["square.qgs", "square.geojson"] {
            fs::copy(format!("{FIXTURES}/{name}"), dir.join(name)).unwrap();
        }
        let mut server = Command::new("/usr/lib/cgi-bin/qgis_mapserv.fcgi");
        server.env("QGIS_PROJECT_FILE", dir.join("square.qgs")).env("QT_QPA_PLATFORM", "offscreen");
        for variable in ["HOME", "TMPDIR", "XDG_RUNTIME_DIR"] {
            server.env(variable, dir.path());
        }
        server.stdin(listen_socket(&dir)).stderr(File::create(dir.join("qgis.log")).unwrap());
        answer(library, &dir, &mut server, |client| {
            let capabilities =
                text(client.get("/program/?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetCapabilities"));
            assert!(capabilities.contains("<Name>square</Name>"), "{capabilities}");
            for _ in 0..10 {
                let map = client.get(
                    "/program/?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS=square&STYLES=\
                     &CRS=CRS:84&BBOX=-180,-90,180,90&WIDTH=200&HEIGHT=100&FORMAT=image/png",
                );
                assert_png(&map.body, 200);
            }
            let features = text(client.get(
                "/program/?SERVICE=WFS&VERSION=1.1.0&REQUEST=GetFeature&TYPENAME=square\
                 &OUTPUTFORMAT=GeoJSON",
            ));
            assert!(features.contains("\"name\":\"größe\""), "{features}");
            let query = "<GetFeature xmlns='http://www.opengis.net/wfs' service='WFS' version='1.1.0'>\
                         <Query typeName='square'/></GetFeature>";
            let features = text(client.post("/program/", query.as_bytes()));
            assert!(features.contains("<qgs:name>größe</qgs:name>"), "{features}");
        });
    });
}

#[test]
fn mapcache() {
    need("mapcache-cgi", "/usr/lib/cgi-bin/mapcache");
    on_both(|library| {
        let dir = prepare();
        let configuration = fs::read_to_string(format!("{FIXTURES}/mapcache.xml")).unwrap();
        let configuration = configuration.replace("@DIR@", dir.path().to_str().unwrap());
        fs::write(dir.join("mapcache.xml"), configuration).unwrap();
        let mut server = Command::new("/usr/lib/cgi-bin/mapcache");
        server.env("MAPCACHE_CONFIG_FILE", dir.join("mapcache.xml")).stdin(listen_socket(&dir));
        answer(library, &dir, &mut server, |client| {
            let capabilities = text(client.get("/program/tms/1.0.0/"));
            assert!(capabilities.contains("TileMapService"), "{capabilities}");
            for row in [0, 1, 0, 1] {
                let tile = client.get(&format!("/program/tms/1.0.0/square@WGS84/0/{row}/0.png"));
                assert_png(&tile.body, 256);
            }
        });
    });
}

#[test]
fn bosixnet_webui() {
    need("bosixnet-webui", "/usr/bin/bosixnet_webui");
    on_both(|library| {
        let dir = prepare();
        let mut server = Command::new("/usr/bin/bosixnet_webui");
        server.arg("-l").arg(dir.path()).arg("-c").arg(dir.join("none"));
        server.stdin(listen_socket(&dir));
        answer(library, &dir, &mut server, |client| {
            client.get("/bosixnet/here?fd00::1");
            for _ in 0..10 {
                let counter = text(client.get("/bosixnet/counter"));
                assert!(counter.contains("Counter: "), "{counter}");
            }
        });
    });
}

/// Starts a program on descriptor 0, sends it requests through nginx and checks what it has mapped.
pub(crate) fn answer(
    library: Library,
    dir: &TempDir,
    command: &mut Command,
    ask: impl Fn(&Client),
) {
    let program = Running::start(library.under(command).stdout(Stdio::null()));
    until("the listen socket", SERVED, || is_listening(&dir.join("app.sock")).then_some(()));
    let nginx = Nginx::start(dir);
    ask(&nginx.client);
    assert_eq!(Vec::from_iter(mapped(program.pid())), [file(library)], "mapped libraries");
}

fn assert_png(bytes: &[u8], width: u32) {
    assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n"), "\"{}\"", bytes.escape_ascii());
    assert!(bytes.ends_with(b"IEND\xaeB`\x82"), "cut off");
    assert_eq!(bytes[16..20], width.to_be_bytes());
}

/// Returns a TIFF file with one grey tile of 256 x 256 pixels.
fn image() -> Vec<u8> {
    const SHORT: u16 = 3;
    const LONG: u16 = 4;
    let data = 8 + 2 + 12 * 12 + 4;
    let entries: [(u16, u16, u32); 12] = [
        (256, SHORT, 256), // width
        (257, SHORT, 256), // height
        (258, SHORT, 8),   // bits
        (259, SHORT, 1),   // not compressed
        (262, SHORT, 1),   // 0 is black
        (277, SHORT, 1),   // samples
        (284, SHORT, 1),   // contiguous
        (322, SHORT, 256), // width of a tile
        (323, SHORT, 256), // height of a tile
        (324, LONG, data), // where the tile begins
        (325, LONG, 65_536),
        (339, SHORT, 1), // unsigned
    ];
    let mut file = b"II\x2a\x00\x08\x00\x00\x00\x0c\x00".to_vec();
    for (tag, kind, value) in entries {
        file.extend([tag.to_le_bytes(), kind.to_le_bytes()].concat());
        file.extend([1, value].map(u32::to_le_bytes).concat());
    }
    file.extend([0; 4]);
    file.extend((0..65_536_u32).map(|pixel| (pixel % 256) as u8));
    file
}
