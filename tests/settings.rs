//! Checks the table of settings and what the documents say about them.
//!
//! `UPDATE_SETTINGS=1 cargo test --test settings` writes the tables of docs/operating.md and man/libfcgi.7
//! again.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use fcgi::internals::serve::config::{ANY, SETTINGS, SWITCH, Setting, Value};
use testkit::toolchain::read;
use testkit::{Library, PATIENCE, TempDir, compile, root, run};

/// Variables that only the tests read.
const OF_THE_TESTS: [&str; 6] = [
    "LIBFCGI_DIST",
    "LIBFCGI_FAULTS_SEED",
    "LIBFCGI_HOSTILE_GROWTH",
    "LIBFCGI_ORIGINAL",
    "LIBFCGI_SOAK_SECONDS",
    "LIBFCGI_STRESS_SECONDS",
];

/// A setting that docs/architecture.md adds as an example, and that tests/recipes.rs adds to a copy.
const EXAMPLE: &str = "LIBFCGI_EXAMPLE";

/// Files for the library's users, and the library.
const FOR_USERS: [&str; 6] = ["README.md", "CHANGELOG.md", "SECURITY.md", "man", "include", "src"];

/// Files for the library's developers.
const FOR_US: [&str; 11] = [
    "CONTRIBUTING.md",
    "Makefile",
    "docs",
    "tests",
    "testkit",
    "c-tests",
    "examples-c",
    "benches",
    "fuzz",
    "scripts",
    "cbindgen",
];

/// Returns every text file at `path` or below it.
fn texts(path: &str) -> Vec<(PathBuf, String)> {
    let (mut open, mut found) = (vec![root(path)], Vec::new());
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if let Ok(text) = fs::read_to_string(&path) {
            found.push((path, text));
        }
    }
    assert!(!found.is_empty(), "{path} is not there");
    found
}

/// A document with a table between two unchanged texts.
struct Table {
    path: &'static str,
    before: &'static str,
    after: &'static str,
    entry: fn(&Setting) -> String,
}

const TABLES: [Table; 2] = [
    Table {
        path: "docs/operating.md",
        before: "| variable | unit | default | what |\n|---|---|---|---|\n",
        after: "\n",
        entry: row,
    },
    Table {
        path: "man/libfcgi.7",
        before: "the default is kept.\n.Bl -tag -width Ds\n",
        after: ".El\n",
        entry: item,
    },
];

/// Returns " from 1 to 5" if not every number is allowed.
fn bounds(value: &Value) -> String {
    match value {
        Value::Number { range, .. } if *range != ANY => {
            format!(" from {} to {}", range.start(), range.end())
        }
        _ => String::new(),
    }
}

/// Returns a setting's row of docs/operating.md.
fn row(setting: &Setting) -> String {
    let bounds = bounds(&setting.value);
    let (unit, default) = match &setting.value {
        Value::Number { range, default, zero, .. } if *range == SWITCH => {
            (format!("0 or 1, 0 {zero}"), default.to_string())
        }
        Value::Number { unit, default, zero: "", .. } => {
            (format!("{unit}{bounds}"), default.to_string())
        }
        Value::Number { unit, default, zero, .. } => {
            (format!("{unit}{bounds}, 0 {zero}"), default.to_string())
        }
        Value::Text { form, default, .. } => ((*form).to_owned(), (*default).to_owned()),
    };
    format!("| `{}` | {unit} | {default} | {} |\n", setting.name, setting.says)
}

/// Returns a setting's entry of man/libfcgi.7: every sentence on lines of its own, none of them long.
fn item(setting: &Setting) -> String {
    let (first, rest) = setting.says.split_at(1);
    let bounds = bounds(&setting.value);
    let (value, default) = match &setting.value {
        Value::Number { range, default, zero, .. } if *range == SWITCH => {
            (format!("0 or 1; 0 {zero}"), default.to_string())
        }
        Value::Number { unit, default, zero: "", .. } => {
            (format!("a number of {unit}{bounds}"), default.to_string())
        }
        Value::Number { unit, default, zero, .. } => {
            (format!("a number of {unit}{bounds}; 0 {zero}"), default.to_string())
        }
        Value::Text { form, default, .. } => ((*form).to_owned(), (*default).to_owned()),
    };
    let mut text = format!(".It Ev {}\n", setting.name);
    text += &wrapped(&format!("{}{rest}.", first.to_uppercase()));
    text += &wrapped(&format!("The value is {value}."));
    text += &wrapped(&format!("The default is {default}."));
    text
}

/// Breaks a sentence into lines of at most 80 characters.
fn wrapped(sentence: &str) -> String {
    let (mut text, mut length) = (String::new(), 0);
    for word in sentence.split(' ') {
        if length > 0 && length + 1 + word.len() > 80 {
            text.push('\n');
            length = 0;
        }
        let space = if length > 0 { " " } else { "" };
        write!(text, "{space}{word}").unwrap();
        length += space.len() + word.len();
    }
    text + "\n"
}

#[test]
fn the_tables_of_the_documents_are_fresh() {
    let update = std::env::var_os("UPDATE_SETTINGS").is_some();
    let mut stale = Vec::new();
    for Table { path, before, after, entry } in TABLES {
        let text = read(path);
        let (head, rest) = text.split_once(before).unwrap_or_else(|| panic!("{path}: no table"));
        // A table ends with the line that begins with its end mark.
        let end =
            if rest.starts_with(after) { 0 } else { rest.find(&format!("\n{after}")).unwrap() + 1 };
        let entries: String = SETTINGS.iter().map(entry).collect();
        let fresh = format!("{head}{before}{entries}{}", &rest[end..]);
        if update {
            fs::write(root(path), fresh).unwrap();
        } else if fresh != text {
            stale.push(path);
        }
    }
    assert!(stale.is_empty(), "UPDATE_SETTINGS=1 cargo test --test settings renews {stale:?}");
}

/// Returns all names of variables in a text.
fn names(text: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let words = text.split(|c: char| !is_name(c));
    words
        .filter(|word| {
            let rest = word.strip_prefix("LIBFCGI_");
            rest.is_some_and(|rest| !rest.is_empty()) || word.starts_with("FCGI_WEB_SERVER_")
        })
        .collect()
}

#[test]
fn no_other_setting_is_named_anywhere() {
    let settings: BTreeSet<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
    let mut named = BTreeSet::new();
    for path in FOR_USERS.into_iter().chain(FOR_US) {
        let of_the_tests = OF_THE_TESTS.iter().filter(|_| FOR_US.contains(&path));
        let known: BTreeSet<&str> = settings.iter().chain(of_the_tests).copied().collect();
        for (file, text) in texts(path) {
            // This file names the tests' variables to search for them.
            if file.ends_with("tests/settings.rs") {
                continue;
            }
            for name in names(&text).into_iter().filter(|name| *name != EXAMPLE) {
                assert!(known.contains(name), "{}: {name} is not a setting", file.display());
                named.insert(name.to_owned());
            }
        }
    }
    let rows = read("tests/README.md");
    for name in OF_THE_TESTS {
        assert!(named.contains(name), "no test reads {name}");
        assert!(rows.contains(&format!("\n| {name} | ")), "tests/README.md has no row {name}");
    }
}

/// Returns the words of a text, without comment marks and the macros of manual paragraphs.
fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().filter(|word| !["*", "///", ".Ev"].contains(word)).collect()
}

#[test]
fn what_headers_and_manuals_say_in_passing_is_the_tables() {
    let mut said = 0;
    for (file, text) in texts("include").into_iter().chain(texts("man")) {
        let (words, file) = (words(&text), file.display());
        for at in words.windows(2).enumerate().filter(|(_, two)| two == &["by", "default)"]) {
            let at = at.0;
            let [name, unit, number] = [words[at - 3], words[at - 2], words[at - 1]];
            let setting = SETTINGS.iter().find(|setting| setting.name == name);
            let setting = setting.unwrap_or_else(|| panic!("{file}: {name} has no default"));
            let Value::Number { unit: own, default, .. } = &setting.value else {
                panic!("{file}: {name} is not a number")
            };
            assert_eq!((unit, number), (*own, format!("({default}").as_str()), "{file}: {name}");
            said += 1;
        }
    }
    assert!(said >= 2, "the headers word defaults differently now");
}

#[test]
fn the_readme_names_every_setting() {
    let text = read("README.md");
    for Setting { name, .. } in SETTINGS {
        assert!(text.contains(&format!("`{name}`")), "README.md does not name {name}");
    }
}

#[test]
fn the_documents_say_what_is_no_number() {
    let range = format!("not a number from {} to {}", ANY.start(), ANY.end());
    for table in TABLES {
        assert!(read(table.path).contains(&range), "{}: {range}", table.path);
    }
}

#[test]
fn a_row_is_complete() {
    let mut names = BTreeSet::new();
    for Setting { name, value, says } in SETTINGS {
        assert!(names.insert(name), "{name} is there twice");
        assert!(says.starts_with(char::is_lowercase) && !says.ends_with('.'), "{name}: {says}");
        assert!(!says.contains(['|', '\n', '\\']), "{name}: {says}");
        if let Value::Number { range, default, zero, .. } = value {
            assert!(range.contains(default), "{name}: {default}");
            assert_eq!(range.contains(&0), !zero.is_empty(), "{name}: what 0 does");
        }
    }
}

#[test]
fn what_is_no_number_is_refused_with_a_line() {
    let dir = TempDir::new();
    let program = dir.join("init");
    compile(&root("tests/settings/init.c"), Library::Ours, &program).unwrap();
    let mut command = Command::new(&program);
    let mut wanted = String::new();
    for Setting { name, value, .. } in SETTINGS {
        command.env(name, "5s");
        if let Value::Number { range, default, .. } = value {
            let (least, most) = (range.start(), range.end());
            writeln!(
                wanted,
                "libfcgi: {name}=5s is not a number from {least} to {most}; using {default}"
            )
            .unwrap();
        }
    }
    let ended = run(Library::Ours.under(&mut command), PATIENCE);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), wanted.as_str()));
}
