//! A web server for the tests, nginx.

use std::fs::{self, File};
use std::process::{Command, Stdio};

use testkit::web::http::Client;
use testkit::{Running, SERVED, TempDir, need, until};

const CONFIGURATION: &str = include_str!("../fixtures/programs/nginx.conf");

/// nginx with `http.sock`, where the client connects, and `app.sock`, where the program listens.
pub(crate) struct Nginx {
    pub(crate) client: Client,
    _running: Running,
}

impl Nginx {
    pub(crate) fn start(dir: &TempDir) -> Nginx {
        need("nginx", "/usr/sbin/nginx");
        let path = dir.path().to_str().unwrap();
        let configuration = dir.join("nginx.conf");
        fs::write(&configuration, CONFIGURATION.replace("@DIR@", path)).unwrap();
        let log = dir.join("nginx.log");
        let mut nginx = Command::new("/usr/sbin/nginx");
        nginx.args(["-e", "stderr", "-p", path, "-c"]).arg(&configuration);
        nginx.stdin(Stdio::null()).stderr(File::create(&log).unwrap());
        let running = Running::start(&mut nginx);
        // nginx logs this once its sockets listen.
        until("nginx to start", SERVED, || {
            fs::read_to_string(&log).unwrap().contains("event method").then_some(())
        });
        Nginx { client: Client::Unix(dir.join("http.sock")), _running: running }
    }
}
