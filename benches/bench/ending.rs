//! Lost requests behind web servers that keep their connections: with workers that end after a number of
//! requests and are replaced, and with programs that use a new struct for each request. A request is lost if
//! its response is not the right one with status 200.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::report::{Table, grouped};
use testkit::Library;
use testkit::web::app::{Home, Settings, content, described};
use testkit::web::document::Changes;
use testkit::web::http::{Client, Request};
use testkit::web::servers::{APACHE, H2O, HAPROXY, NGINX};
use testkit::web::site::Application::{Tcp, Unix};
use testkit::web::site::{Application, Kind, Site};

/// Requests of each row and library, unless an argument sets another number.
const REQUESTS: usize = 2_000;

/// Clients of the web server, which run in parallel. There are as many workers, because with the original
/// each of them serves one kept connection.
const CLIENTS: usize = 4;

/// Workers that end with their fiftieth request, as docs/operating.md describes.
const ENDING: &str = "-b 4 -m 50";

/// Workers that simply exit after it. With the original, the workers above serve a kept connection until it
/// is closed.
const EXITING: &str = "-b 4 -x 50";

/// More than the keep-alive timeout of each web server below.
const LONG: Settings = &[("LIBFCGI_DRAIN", "2500")];

/// A program that uses a new struct for each request.
const ANEW: &str = "-n";

/// A web server with kept connections.
struct Keeping {
    name: &'static str,
    /// A file that exists if it is installed.
    program: &'static str,
    kind: &'static Kind,
    /// The section of docs/web-servers.md, the changes to it, and those with which it closes idle
    /// connections after a second or two.
    title: &'static str,
    changes: &'static Changes,
    short: &'static Changes,
    application: Application,
}

const NGINX_UNIX: Keeping = Keeping {
    name: "nginx, unix",
    program: "/usr/sbin/nginx",
    kind: &NGINX,
    title: "nginx, unix socket, keepalive",
    changes: &[],
    short: &[("keepalive 16;", "keepalive 16; keepalive_timeout 1s;")],
    application: Unix,
};

const HAPROXY_UNIX: Keeping = Keeping {
    name: "HAProxy, http-reuse always, unix",
    program: "/usr/sbin/haproxy",
    kind: &HAPROXY,
    title: "HAProxy, keep-conn",
    changes: &[],
    short: &[("proto fcgi", "proto fcgi pool-purge-delay 200ms")],
    application: Unix,
};

const H2O_UNIX: Keeping = Keeping {
    name: "h2o, unix",
    program: "/usr/bin/h2o",
    kind: &H2O,
    title: "h2o, connecting",
    changes: &[("type: unix", "type: unix\n        fastcgi.timeout.keepalive: 60000")],
    short: &[("60000", "1000")],
    application: Unix,
};

const SERVERS: [Keeping; 7] = [
    NGINX_UNIX,
    Keeping { name: "nginx, TCP", title: "nginx, TCP, keepalive", application: Tcp, ..NGINX_UNIX },
    Keeping {
        name: "Apache mod_proxy_fcgi, TCP",
        program: "/usr/sbin/apache2",
        kind: &APACHE,
        title: "Apache mod_proxy_fcgi, enablereuse",
        // Each process of Apache keeps its own connections.
        changes: &[("ProxyPass", "ServerLimit 1\nStartServers 1\nMaxRequestWorkers 25\nProxyPass")],
        short: &[("enablereuse=on", "enablereuse=on ttl=1")],
        application: Tcp,
    },
    HAPROXY_UNIX,
    Keeping {
        name: "HAProxy, http-reuse always, TCP",
        changes: &[("/run/app/app.sock", "127.0.0.1:9000")],
        application: Tcp,
        ..HAPROXY_UNIX
    },
    H2O_UNIX,
    Keeping {
        name: "h2o, TCP",
        changes: &[
            ("/run/app/app.sock", "9000\n          host: 127.0.0.1"),
            ("type: unix", "type: tcp\n        fastcgi.timeout.keepalive: 60000"),
        ],
        application: Tcp,
        ..H2O_UNIX
    },
];

/// A client pauses before one request in this many, for about as long as workers by default wait for another
/// request on an open connection.
const PAUSES: usize = 100;
const PAUSE: Duration = Duration::from_millis(60);

/// A method and its body.
type Method = (&'static str, Option<&'static [u8]>);

const GET: Method = ("GET", None);
const POST: Method = ("POST", Some(b"name=value"));

/// Counts the lost among this number of requests: of workers that end, ours beside the original; and of
/// programs that use new structs.
pub(crate) fn count(requests: Option<&str>) -> [Table; 2] {
    let requests = requests.map_or(REQUESTS, |number| number.parse().expect("a number"));
    let of = grouped(requests as f64);
    let mut ending =
        Table::new(&["workers that end", "method", "of", "ours", "ours, long drain", "original"]);
    for server in &SERVERS {
        for method in [GET, POST] {
            let lost =
                |home, options, changes| server.lost(home, options, changes, method, requests);
            let ours = |settings| Home::under(Library::Ours, settings, "app");
            let cells = [
                lost(ours(&[]), ENDING, server.changes),
                lost(ours(LONG), ENDING, &[server.changes, server.short].concat()),
                lost(Home::under(Library::Original, &[], "app"), EXITING, server.changes),
            ];
            let row = [server.name.to_owned(), method.0.to_owned(), of.clone()];
            ending.push(row.into_iter().chain(cells).collect());
        }
    }
    let mut anew = Table::new(&["a structure for each request", "of", "ours"]);
    for server in [NGINX_UNIX, HAPROXY_UNIX] {
        let lost = server.lost(Home::new("app"), ANEW, server.changes, GET, requests);
        anew.push(vec![server.name.to_owned(), of.clone(), lost]);
    }
    [ending, anew]
}

impl Keeping {
    /// Returns the number of lost requests.
    fn lost(
        &self,
        home: Home,
        options: &'static str,
        changes: &Changes,
        method: Method,
        requests: usize,
    ) -> String {
        if !Path::new(self.program).exists() {
            return "not installed".to_owned();
        }
        let site = Site::in_home(home, self.kind, self.title, self.application, options, changes);
        site.client.get("/");
        site.home.assert_mapped();
        let (begun, lost) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let client = || {
            loop {
                let number = begun.fetch_add(1, Ordering::Relaxed);
                if number >= requests {
                    break;
                }
                if number % PAUSES == 0 {
                    thread::sleep(PAUSE);
                }
                if !is_answered(&site.client, method) {
                    lost.fetch_add(1, Ordering::Relaxed);
                }
            }
        };
        thread::scope(|scope| {
            (0..CLIENTS).for_each(|_| {
                scope.spawn(client);
            });
        });
        grouped(lost.into_inner() as f64)
    }
}

fn is_answered(client: &Client, (_, body): Method) -> bool {
    const SIZE: usize = 100;
    let request = Request { target: &format!("/?size={SIZE}"), body, headers: "" };
    client.send(request).is_ok_and(|response| {
        response.status == 200
            && response.body == content(SIZE)
            && response.header("x-body") == described(body.unwrap_or_default())
    })
}
