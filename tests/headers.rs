//! include/ contains what cbindgen generates from the current Rust source, with the functions in the order of
//! the lists in cbindgen/.
//!
//! `UPDATE_HEADERS=1 cargo test --test headers` writes the headers again.

use std::fs;
use testkit::root;
use testkit::toolchain::read;

/// Each generated header, its source in src/capi with the modules below it, and what else it declares.
const HEADERS: [(&str, &str, Option<&str>); 5] = [
    ("fastcgi", "fastcgi.rs", None),
    ("fcgiapp", "fcgiapp/mod.rs", Some("layout.rs")),
    ("fcgi_stdio", "fcgi_stdio/mod.rs", None),
    ("fcgios", "fcgios.rs", None),
    ("fcgi_request", "fcgi_request/mod.rs", None),
];

fn generate(name: &str, source: &str, others: Option<&str>) -> String {
    let own = root(&format!("cbindgen/{name}.toml"));
    let config = if own.exists() { own } else { root("cbindgen/common.toml") };
    let config = cbindgen::Config::from_file(config).unwrap();
    let sources = [source].into_iter().chain(others);
    let builder = sources.fold(cbindgen::Builder::new().with_config(config), |builder, source| {
        builder.with_src(root("src/capi").join(source))
    });
    let mut text = Vec::new();
    builder.generate().unwrap().write(&mut text);
    // cbindgen begins a new line after the prefix of a long declaration.
    let text = String::from_utf8(text).unwrap().replace("\nextern\n", "\nextern ");
    let order = root(&format!("cbindgen/{name}.order"));
    let body = match fs::read_to_string(order) {
        Ok(order) => ordered(text.trim(), &order),
        Err(_) => text.trim().to_owned(),
    };
    format!(
        "/* Generated from src/capi/{source} by `UPDATE_HEADERS=1 cargo test --test headers`. */\n\
         {}\n\n{body}\n\n{}\n",
        read(&format!("cbindgen/{name}.before.h")).trim_end(),
        read(&format!("cbindgen/{name}.after.h")).trim_end()
    )
}

/// Returns the name of the function that a paragraph of a header declares.
fn function(paragraph: &str) -> Option<&str> {
    let code = paragraph.rsplit("*/").next()?.trim_start();
    let is_function = ["DLLAPI", "extern "].iter().any(|word| code.starts_with(word));
    code.split_once('(').filter(|_| is_function)?.0.rsplit([' ', '*', '\n']).next()
}

/// Puts the functions of a header after everything else, in the order of a list: "# heading" begins a
/// section, every other line names a function.
fn ordered(text: &str, order: &str) -> String {
    let (mut functions, others): (Vec<&str>, Vec<&str>) =
        text.split("\n\n").partition(|paragraph| function(paragraph).is_some());
    let mut paragraphs: Vec<String> = others.into_iter().map(str::to_owned).collect();
    for line in order.lines() {
        paragraphs.push(if let Some(heading) = line.strip_prefix("# ") {
            format!("/* ---- {heading} ---- */")
        } else {
            let at = functions.iter().position(|paragraph| function(paragraph) == Some(line));
            functions.remove(at.unwrap_or_else(|| panic!("no function {line}"))).to_owned()
        });
    }
    assert!(functions.is_empty(), "not in the list of cbindgen/: {functions:?}");
    paragraphs.join("\n\n")
}

#[test]
fn headers_are_fresh() {
    let update = std::env::var_os("UPDATE_HEADERS").is_some();
    let mut stale = Vec::new();
    for (name, source, others) in HEADERS {
        let path = format!("include/{name}.h");
        let text = generate(name, source, others);
        if update {
            fs::write(root(&path), text).unwrap();
        } else if fs::read_to_string(root(&path)).ok().as_ref() != Some(&text) {
            stale.push(path);
        }
    }
    assert!(stale.is_empty(), "UPDATE_HEADERS=1 cargo test --test headers renews {stale:?}");
}
