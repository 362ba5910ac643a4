//! Debian's web servers in front of an application on our library, with the configurations of
//! docs/web-servers.md.

mod exercise;

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use exercise::{Except, exercise};
use testkit::root;
use testkit::web::http::Request;
use testkit::web::servers::{APACHE, CADDY, H2O, HAPROXY, LIGHTTPD, NGINX};
use testkit::web::site::Application::{Spawned, Tcp, Unix};
use testkit::web::site::{Application, Kind, Site};

const THREADS: &str = "-t 2";
const PROCESSES: &str = "-b 2";

const HAPROXY_EXCEPT: Except =
    Except { much_stderr: true, large_unread_body: true, ..NO_EXCEPTION };
const CADDY_EXCEPT: Except = Except { log: true, ..NO_EXCEPTION };
const NO_EXCEPTION: Except = Except {
    log: false,
    much_stderr: false,
    large_unread_body: false,
    repeating: false,
    crowd: false,
};

#[test]
fn nginx_unix() {
    serve(&NGINX, "nginx, unix socket", Unix, THREADS);
}

#[test]
fn nginx_tcp() {
    serve(&NGINX, "nginx, TCP", Tcp, PROCESSES);
}

#[test]
fn nginx_unix_keepalive() {
    serve(&NGINX, "nginx, unix socket, keepalive", Unix, THREADS);
}

#[test]
fn nginx_tcp_keepalive() {
    serve(&NGINX, "nginx, TCP, keepalive", Tcp, PROCESSES);
}

#[test]
fn lighttpd_connecting() {
    serve(&LIGHTTPD, "lighttpd, connecting", Unix, PROCESSES);
}

#[test]
fn lighttpd_spawning() {
    serve(&LIGHTTPD, "lighttpd, spawning", Spawned, "");
}

#[test]
fn apache_mod_proxy_fcgi() {
    serve(&APACHE, "Apache mod_proxy_fcgi", Unix, PROCESSES);
}

#[test]
fn apache_mod_proxy_fcgi_enablereuse() {
    serve(&APACHE, "Apache mod_proxy_fcgi, enablereuse", Tcp, THREADS);
}

#[test]
fn apache_mod_fcgid() {
    let except = Except { crowd: true, repeating: true, ..NO_EXCEPTION };
    serve_except(&APACHE, "Apache mod_fcgid", Spawned, "", except);
}

#[test]
fn haproxy() {
    serve_except(&HAPROXY, "HAProxy", Unix, PROCESSES, HAPROXY_EXCEPT);
}

#[test]
fn haproxy_keep_conn() {
    serve_except(&HAPROXY, "HAProxy, keep-conn", Unix, THREADS, HAPROXY_EXCEPT);
}

#[test]
fn haproxy_get_values() {
    serve_except(&HAPROXY, "HAProxy, get-values", Unix, PROCESSES, HAPROXY_EXCEPT);
}

#[test]
fn caddy_unix() {
    serve_except(&CADDY, "Caddy, unix socket", Unix, THREADS, CADDY_EXCEPT);
}

#[test]
fn caddy_tcp() {
    serve_except(&CADDY, "Caddy, TCP", Tcp, PROCESSES, CADDY_EXCEPT);
}

#[test]
fn h2o_connecting() {
    serve(&H2O, "h2o, connecting", Unix, THREADS);
}

#[test]
fn h2o_spawning() {
    serve(&H2O, "h2o, spawning", Spawned, "");
}

/// One thread accepts, others finish the requests.
#[test]
fn finish_in_another_thread() {
    serve(&NGINX, "nginx, unix socket", Unix, "-q 4");
}

#[test]
fn processes_made_after_init() {
    serve(&NGINX, "nginx, unix socket, keepalive", Unix, "-a 3");
}

#[test]
fn processes_with_threads() {
    serve(&NGINX, "nginx, unix socket, keepalive", Unix, "-b 2 -t 2");
}

#[test]
fn nginx_struct_for_each_request() {
    serve_in_a_row(&NGINX, "nginx, unix socket, keepalive", "-n");
    serve_in_a_row(&NGINX, "nginx, unix socket, keepalive", "-n -t 4");
}

#[test]
fn haproxy_struct_for_each_request() {
    serve_in_a_row(&HAPROXY, "HAProxy, keep-conn", "-n");
    serve_in_a_row(&HAPROXY, "HAProxy, keep-conn", "-n -t 4");
}

#[test]
fn loaded_at_run_time() {
    let title = "nginx, unix socket";
    let mut site = Site::with_program("load_at_run_time", &NGINX, title, Unix, THREADS);
    exercise(&mut site, NO_EXCEPTION);
}

#[test]
fn lighttpd_authorizer() {
    let site = Site::start(&LIGHTTPD, "lighttpd, authorizer", Unix, THREADS);
    for _ in 0..50 {
        assert_eq!(site.client.get("/file.txt").text(), "a file\n");
        assert_eq!(status(&site, "/file.txt?deny", ""), 403);
    }
    site.home.assert_mapped();
}

#[test]
fn apache_mod_authnz_fcgi() {
    // "user:password" in Base64.
    let credentials = "Authorization: Basic dXNlcjpwYXNzd29yZA==\r\n";
    let site = Site::start(&APACHE, "Apache mod_authnz_fcgi", Tcp, THREADS);
    for _ in 0..50 {
        assert_eq!(status(&site, "/file.txt", ""), 401);
        assert_eq!(status(&site, "/file.txt", credentials), 200);
        assert_eq!(status(&site, "/file.txt?deny", credentials), 401);
    }
    site.home.assert_mapped();
}

#[test]
fn every_configuration_of_the_document_is_tested() {
    let tests = fs::read_to_string(root("tests/web_servers/main.rs")).unwrap();
    for title in testkit::web::document::titles() {
        assert!(tests.contains(&format!("\"{title}\"")), "{title}");
    }
}

fn status(site: &Site, target: &str, headers: &str) -> u16 {
    site.client.send(Request { target, headers, body: None }).unwrap().status
}

/// Checks that each of many requests on kept connections is answered immediately.
fn serve_in_a_row(kind: &Kind, title: &str, options: &'static str) {
    // nginx allows no more than a thousand requests on one connection of a client.
    const REQUESTS: usize = 900;
    let site = Site::start(kind, title, Unix, options);
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..4 {
            let client = &site.client;
            scope.spawn(move || {
                assert_eq!(client.in_a_row("/?size=100", REQUESTS).unwrap(), [200; REQUESTS]);
            });
        }
    });
    let took = start.elapsed();
    assert!(took < Duration::from_secs(30), "{options}: {took:?}");
    site.home.assert_mapped();
}

fn serve(kind: &Kind, title: &str, application: Application, options: &'static str) {
    serve_except(kind, title, application, options, NO_EXCEPTION);
}

fn serve_except(
    kind: &Kind,
    title: &str,
    application: Application,
    options: &'static str,
    except: Except,
) {
    exercise(&mut Site::start(kind, title, application, options), except);
}
