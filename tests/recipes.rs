//! docs/architecture.md is true: its functions are where it says. A change that follows one of its examples
//! touches the files that it names and no others, and passes the tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::toolchain::read;
use testkit::{TempDir, root};

const PAGE: &str = "docs/architecture.md";

/// Returns the text of a section of the page.
fn section(heading: &str) -> String {
    let page = read(PAGE);
    let (_, text) = page.split_once(&format!("\n{heading}\n")).expect(heading);
    let level = heading.split(' ').next().unwrap();
    text.split(&format!("\n{level} ")).next().unwrap().to_owned()
}

#[test]
fn the_functions_of_a_request_are_where_the_page_says() {
    let text = section("## The way of a request");
    let mut found = 0;
    for line in text.lines().filter(|line| line.starts_with("| ")) {
        let Some((name, file)) = line.split('|').nth(2).unwrap().trim().split_once("` in ") else {
            continue;
        };
        let name = name.trim_start_matches('`');
        let source = read(&format!("src/{file}"));
        let is_there =
            source.contains(&format!("fn {name}(")) || source.contains(&format!("fn {name}<"));
        assert!(is_there, "{PAGE}: src/{file} has no function {name}");
        found += 1;
    }
    assert!(found > 15);
}

#[test]
fn the_files_of_the_words_are_there() {
    for line in section("## Words").lines().filter(|line| line.starts_with("| ")) {
        let file = line.split('|').nth(3).unwrap().trim();
        if file.ends_with(".rs") {
            assert!(root("src").join(file).exists(), "{PAGE}: {line}");
        }
    }
}

/// The changes of an example that are made by hand.
enum Edit {
    /// Inserts text after the first place where another text stands, or at the end.
    Insert { path: &'static str, behind: &'static str, text: &'static str },
    /// Creates a file.
    Create { path: &'static str, text: &'static str },
}

use Edit::{Create, Insert};

/// An example: its heading, the changes by hand, and what the commands of the page write.
struct Example {
    heading: &'static str,
    edits: &'static [Edit],
    written: &'static [&'static str],
}

const EXAMPLES: [Example; 3] = [
    Example {
        heading: "### Add a C function",
        edits: &[
            Insert {
                path: "src/capi/fcgi_request/library.rs",
                behind: "",
                text: "\n/// Returns its argument.\n///\n/// Returns: number.\n#[unsafe(no_mangle)]\n\
                       pub extern \"C\" fn FCGX_Example(number: c_int) -> c_int {\n    number\n}\n",
            },
            Insert { path: "abi-extensions.symbols", behind: "", text: "FCGX_Example function\n" },
            Insert {
                path: "cbindgen/fcgi_request.order",
                behind: "FCGX_ErrorText\n",
                text: "FCGX_Example\n",
            },
            Create {
                path: "man/FCGX_Example.3",
                text: ".Dd January 1, 2026\n.Dt FCGX_EXAMPLE 3\n.Os\n.Sh NAME\n.Nm FCGX_Example\n\
                       .Nd return a number\n.Sh SYNOPSIS\n.In fcgi_request.h\n.Ft int\n\
                       .Fn FCGX_Example \"int number\"\n.Sh DESCRIPTION\nReturns its argument.\n",
            },
            Insert { path: "CHANGELOG.md", behind: "### Added\n", text: "\n- `FCGX_Example`.\n" },
        ],
        written: &["include/fcgi_request.h"],
    },
    Example {
        heading: "### Add a setting",
        edits: &[
            Insert {
                path: "src/serve/config.rs",
                behind: "pub const SETTINGS: &[Setting] = &[\n",
                text: "    Setting {\n        name: \"LIBFCGI_EXAMPLE\",\n        value: Value::Number {\n\
                       \x20           unit: \"milliseconds\",\n            range: ANY,\n            default: 7,\n\
                       \x20           zero: \"is no example\",\n\
                       \x20           put: |config, number| config.example = milliseconds(number),\n\
                       \x20       },\n        says: \"how long an example takes\",\n    },\n",
            },
            Insert {
                path: "src/serve/config.rs",
                behind: "pub struct Config {\n",
                text: "    /// How long an example takes.\n    pub(crate) example: Duration,\n",
            },
            Insert {
                path: "README.md",
                behind: "when shutting down, `LIBFCGI_DRAIN`",
                text: ", `LIBFCGI_EXAMPLE`",
            },
            Insert {
                path: "CHANGELOG.md",
                behind: "### Added\n",
                text: "\n- `LIBFCGI_EXAMPLE`.\n",
            },
        ],
        written: &["docs/operating.md", "man/libfcgi.7"],
    },
    Example {
        heading: "### Add a record type",
        edits: &[
            Insert {
                path: "src/protocol/record.rs",
                behind: "pub const UNKNOWN_TYPE: Self = Self(11);\n",
                text: "    /// An example.\n    pub const EXAMPLE: Self = Self(12);\n",
            },
            Insert {
                path: "src/protocol/route.rs",
                behind: "    /// Aborts the active request.\n    Abort,\n",
                text: "    /// An example, for the active request.\n    Example,\n",
            },
            Insert {
                path: "src/protocol/route.rs",
                behind: "(RecordType::ABORT_REQUEST, _) => Route::Abort,\n",
                text: "        (RecordType::EXAMPLE, _) => Route::Example,\n",
            },
            Insert {
                path: "src/protocol/route.rs",
                behind: "assert_eq!(at(RecordType::ABORT_REQUEST, 7, Phase::Stdin), Route::Abort);\n",
                text: "        assert_eq!(at(RecordType::EXAMPLE, 7, Phase::Stdin), Route::Example);\n",
            },
            Insert {
                path: "src/serve/incoming.rs",
                behind: "    /// The web server aborts the active request.\n    Abort,\n",
                text: "    /// An example.\n    Example,\n",
            },
            Insert {
                path: "src/serve/incoming.rs",
                behind: "Route::Abort => self.skipping(IncomingEvent::Abort),\n",
                text: "            Route::Example => self.skipping(IncomingEvent::Example),\n",
            },
            Insert {
                path: "src/serve/exchange.rs",
                behind: "IncomingEvent::EndOfStream => return self.ready(limit),\n",
                text: "                IncomingEvent::Example => {}\n",
            },
            Insert {
                path: "src/serve/exchange.rs",
                behind: "IncomingEvent::Answer(answer) => BodyEvent::Answer(answer),\n",
                text: "            IncomingEvent::Example => BodyEvent::Fault(Fault::Protocol),\n",
            },
            Insert {
                path: "src/serve/exchange.rs",
                behind: "IncomingEvent::Answer(_) => {}\n",
                text: "                IncomingEvent::Example => {}\n",
            },
        ],
        written: &[],
    },
];

impl Edit {
    fn path(&self) -> &'static str {
        match self {
            Insert { path, .. } | Create { path, .. } => path,
        }
    }

    fn apply(&self, copy: &Path) {
        let path = copy.join(self.path());
        let text = match self {
            Create { text, .. } => {
                assert!(!path.exists(), "{} is there", self.path());
                (*text).to_owned()
            }
            Insert { behind: "", text, .. } => fs::read_to_string(&path).unwrap() + text,
            Insert { behind, text, .. } => {
                let before = fs::read_to_string(&path).unwrap();
                let (first, last) = before
                    .split_once(behind)
                    .unwrap_or_else(|| panic!("{} has no {behind:?}", self.path()));
                format!("{first}{behind}{text}{last}")
            }
        };
        fs::write(path, text).unwrap();
    }
}

/// Directories that are not part of the sources.
const NOT_COPIED: [&str; 4] = [".git", "target", "corpus", "artifacts"];

/// Returns the files below a directory, as paths relative to it.
fn files(top: &Path) -> BTreeSet<PathBuf> {
    let (mut open, mut found) = (vec![PathBuf::new()], BTreeSet::new());
    while let Some(at) = open.pop() {
        for entry in fs::read_dir(top.join(&at)).unwrap() {
            let entry = entry.unwrap();
            let path = at.join(entry.file_name());
            if NOT_COPIED.iter().any(|name| path.ends_with(name)) {
                continue;
            }
            match entry.file_type().unwrap() {
                kind if kind.is_dir() => open.push(path),
                kind if kind.is_file() => drop(found.insert(path)),
                _ => {}
            }
        }
    }
    found
}

/// Runs tests of the copy, with a variable that makes them write files.
fn cargo_test(copy: &Path, arguments: &[&str], update: Option<&str>) {
    let mut command = Command::new(env!("CARGO"));
    command.args(["test", "--locked", "--offline", "--quiet"]).args(arguments).current_dir(copy);
    // A directory of its own: with the tree's, cargo would build everything again there.
    command.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("recipes"));
    if let Some(variable) = update {
        command.env(variable, "1");
    }
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&text));
}

#[test]
fn the_examples_touch_the_files_that_they_name_and_satisfy_the_tests() {
    let copy = TempDir::new();
    for path in files(&root("")) {
        let to = copy.join(path.to_str().unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(root("").join(&path), to).unwrap();
    }
    let copied = files(copy.path());
    let mut expected = BTreeSet::new();
    for example in &EXAMPLES {
        example.edits.iter().for_each(|edit| edit.apply(copy.path()));
        let by_hand = example.edits.iter().map(Edit::path);
        let touched: BTreeSet<&str> = by_hand.chain(example.written.iter().copied()).collect();
        let text = section(example.heading);
        let steps = text.lines().filter_map(|line| line.split_once(". `"));
        let steps = steps.filter(|(number, _)| number.parse::<u32>().is_ok());
        let named: BTreeSet<&str> =
            steps.map(|(_, step)| step.split('`').next().unwrap()).collect();
        assert_eq!(named, touched, "{PAGE}, {}", example.heading);
        expected.extend(touched.into_iter().map(PathBuf::from));
    }
    cargo_test(copy.path(), &["--test", "headers"], Some("UPDATE_HEADERS"));
    cargo_test(copy.path(), &["--test", "settings", "documents"], Some("UPDATE_SETTINGS"));
    cargo_test(copy.path(), &["--test", "headers", "--test", "architecture"], None);
    let tables = ["--test", "settings", "--", "documents", "names_every_setting", "named_anywhere"];
    cargo_test(copy.path(), &tables, None);
    let without_programs =
        ["--test", "declarations", "--", "--skip", "the_programs_of_the_overviews"];
    cargo_test(copy.path(), &without_programs, None);
    cargo_test(
        copy.path(),
        &["--lib", "--", "protocol::", "serve::exchange", "serve::incoming"],
        None,
    );
    let now = files(copy.path());
    let changed = now.iter().filter(|path| {
        !copied.contains(*path)
            || fs::read(copy.path().join(path)).unwrap() != fs::read(root("").join(path)).unwrap()
    });
    assert_eq!(changed.cloned().collect::<BTreeSet<_>>(), expected);
}
