//! include/ is what cbindgen makes of the Rust source now.
//!
//! `UPDATE_HEADERS=1 cargo test --test headers` writes the headers anew.

use std::fs;
use testkit::root;
use testkit::toolchain::read;

/// Each generated header and its source in src/capi, with the modules below it.
const HEADERS: [(&str, &str); 4] = [
    ("fastcgi", "fastcgi.rs"),
    ("fcgiapp", "fcgiapp/mod.rs"),
    ("fcgi_stdio", "fcgi_stdio/mod.rs"),
    ("fcgios", "fcgios.rs"),
];

fn generate(name: &str, source: &str) -> String {
    let mut config = cbindgen::Config::from_file(root("cbindgen/common.toml")).unwrap();
    config.header = Some(format!(
        "/* Generated from src/capi/{source} by `UPDATE_HEADERS=1 cargo test --test headers`. */\n{}",
        read(&format!("cbindgen/{name}.before.h")).trim_end()
    ));
    config.trailer = Some(read(&format!("cbindgen/{name}.after.h")).trim_end().to_owned());
    let source = root("src/capi").join(source);
    let bindings = cbindgen::Builder::new().with_config(config).with_src(source).generate();
    let mut text = Vec::new();
    bindings.unwrap().write(&mut text);
    String::from_utf8(text).unwrap()
}

#[test]
fn headers_are_fresh() {
    let update = std::env::var_os("UPDATE_HEADERS").is_some();
    let mut stale = Vec::new();
    for (name, source) in HEADERS {
        let path = format!("include/{name}.h");
        let text = generate(name, source);
        if update {
            fs::write(root(&path), text).unwrap();
        } else if fs::read_to_string(root(&path)).ok().as_ref() != Some(&text) {
            stale.push(path);
        }
    }
    assert!(stale.is_empty(), "UPDATE_HEADERS=1 cargo test --test headers renews {stale:?}");
}
