//! The configurations of docs/web-servers.md, with this test's paths in place of the document's.

use std::fs;
use std::path::{Path, PathBuf};

use crate::root;

/// The values that a test puts into a snippet.
pub struct Places<'a> {
    pub dir: &'a Path,
    /// Where the web server listens.
    pub http: String,
    /// The port of the application, if it listens on TCP.
    pub port: u16,
}

/// Returns the titles of the document's sections that have a configuration.
pub fn titles() -> Vec<String> {
    let text = text();
    let titles = text.lines().filter_map(|line| line.strip_prefix("### "));
    titles.map(str::to_owned).collect()
}

/// Texts of a snippet and their replacements.
pub type Changes = [(&'static str, &'static str)];

/// Returns the fenced block below a title of the document, changed.
pub(super) fn snippet(title: &str, changes: &Changes, places: &Places) -> String {
    let text = text();
    let (_, section) = text
        .split_once(&format!("\n### {title}\n"))
        .unwrap_or_else(|| panic!("docs/web-servers.md has no section {title:?}"));
    let section = section.split("\n### ").next().unwrap();
    let block = section.split("\n```").nth(1).and_then(|block| block.split_once('\n'));
    let (_, block) = block.unwrap_or_else(|| panic!("{title:?} has no fenced block"));
    let dir = places.dir.to_str().unwrap();
    let mut block = block.to_owned();
    for (from, to) in changes {
        assert!(block.contains(from), "{title:?} does not say {from:?}");
        block = block.replace(from, to);
    }
    block
        .replace("/run/app/app.sock", &format!("{dir}/app.sock"))
        .replace("/usr/local/bin/app", &format!("{dir}/app"))
        .replace("/usr/local/lib", &format!("{dir}/lib"))
        .replace("/srv/www", &format!("{dir}/www"))
        .replace("127.0.0.1:9000", &format!("127.0.0.1:{}", places.port))
        .replace("port: 9000", &format!("port: {}", places.port))
        .replace("0.0.0.0:80", &places.http)
}

/// Writes a configuration: a file of tests/fixtures/web with the snippet in it.
pub(super) fn configure(frame: &str, snippet: &str, places: &Places) -> PathBuf {
    let text = fs::read_to_string(root("tests/fixtures/web").join(frame)).unwrap();
    let path = places.dir.join(frame);
    let text = text
        .replace("@DIR@", places.dir.to_str().unwrap())
        .replace("@HTTP@", &places.http)
        .replace("@SNIPPET@", snippet);
    fs::write(&path, text).unwrap();
    path
}

fn text() -> String {
    fs::read_to_string(root("docs/web-servers.md")).unwrap()
}
