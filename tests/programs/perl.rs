//! Debian's Perl modules that serve by FCGI or CGI::Fast.

use std::fs;
use std::process::Command;

use super::others::answer;
use super::{FIXTURES, listen_socket, need_perl, text};
use testkit::web::http::Client;
use testkit::{Library, TempDir, need};

#[test]
fn soap_lite() {
    need_perl();
    need("libsoap-lite-perl", "/usr/share/perl5/SOAP/Transport/HTTP.pm");
    ask(script("soap.pl"), |_, client| {
        for times in [1, 1_000, 100_000] {
            let call = format!(
                "<Envelope xmlns='http://schemas.xmlsoap.org/soap/envelope/'><Body>\
                 <repeat xmlns='Service'><text>word </text><times>{times}</times></repeat>\
                 </Body></Envelope>"
            );
            let answer = text(client.post("/program/", call.as_bytes()));
            assert_eq!(answer.matches("word ").count(), times);
            assert!(answer.contains("<repeatResponse xmlns=\"Service\">"));
        }
    });
}

#[test]
fn mason() {
    need_perl();
    need("libcgi-fast-perl", "/usr/share/perl5/CGI/Fast.pm");
    need("libhtml-mason-perl", "/usr/share/perl5/HTML/Mason/CGIHandler.pm");
    ask(script("mason.pl"), |dir, client| {
        fs::write(dir.join("page"), "<%args>$n</%args>page <% $n * 2 %> of <% $n x 3 %>").unwrap();
        for n in 10..60 {
            let page = text(client.get(&format!("/program/page?n={n}")));
            assert_eq!(page, format!("page {} of {n}{n}{n}", n * 2));
        }
    });
}

/// Returns a command for a script of these tests.
fn script(name: &str) -> Command {
    let mut perl = Command::new("perl");
    perl.arg(format!("{FIXTURES}/{name}"));
    perl
}

/// Starts a program on descriptor 0 in a temporary directory, on either library, and asks it through nginx.
fn ask(mut command: Command, requests: impl Fn(&TempDir, &Client)) {
    for library in Library::BOTH {
        println!("{library:?}");
        let dir = TempDir::new();
        command.env("APP_HOME", dir.path());
        command.current_dir(dir.path()).stdin(listen_socket(&dir));
        answer(library, &dir, &mut command, |client| requests(&dir, client));
    }
}
