//! The commands that start each web server in the foreground.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::site::Kind;
use crate::need;

pub const NGINX: Kind = Kind {
    frame: "nginx.conf",
    http_on_tcp: false,
    unix: "unix:",
    command: |dir, configuration| {
        need("nginx", "/usr/sbin/nginx");
        fs::copy("/etc/nginx/fastcgi_params", dir.join("fastcgi_params")).unwrap();
        let mut nginx = Command::new("/usr/sbin/nginx");
        nginx.args(["-e", "stderr", "-p"]).arg(dir).arg("-c").arg(configuration);
        nginx
    },
};

pub const LIGHTTPD: Kind = Kind {
    frame: "lighttpd.conf",
    http_on_tcp: false,
    unix: "",
    command: |_, configuration| {
        need("lighttpd", "/usr/sbin/lighttpd");
        with_configuration("/usr/sbin/lighttpd", &["-D", "-f"], configuration)
    },
};

pub const APACHE: Kind = Kind {
    frame: "apache.conf",
    http_on_tcp: true,
    unix: "",
    command: |_, configuration| {
        need("apache2-bin", "/usr/sbin/apache2");
        need("libapache2-mod-fcgid", "/usr/lib/apache2/modules/mod_fcgid.so");
        with_configuration("/usr/sbin/apache2", &["-D", "FOREGROUND", "-f"], configuration)
    },
};

pub const HAPROXY: Kind = Kind {
    frame: "haproxy.cfg",
    http_on_tcp: false,
    unix: "unix@",
    command: |_, configuration| {
        need("haproxy", "/usr/sbin/haproxy");
        with_configuration("/usr/sbin/haproxy", &["-db", "-f"], configuration)
    },
};

pub const CADDY: Kind = Kind {
    frame: "Caddyfile",
    http_on_tcp: false,
    unix: "unix/",
    command: |_, configuration| {
        need("caddy", "/usr/bin/caddy");
        with_configuration("/usr/bin/caddy", &["run", "--config"], configuration)
    },
};

pub const H2O: Kind = Kind {
    frame: "h2o.conf",
    http_on_tcp: false,
    unix: "",
    command: |_, configuration| {
        need("h2o", "/usr/bin/h2o");
        with_configuration("/usr/bin/h2o", &["-m", "worker", "-c"], configuration)
    },
};

fn with_configuration(program: &str, arguments: &[&str], configuration: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).arg(configuration);
    command
}
