//! The programs of examples-ffi, each in another language on `<fcgi_request.h>`, keep the one contract of
//! examples-ffi/README.md: built and started as that page says, on our library.

mod client;
mod contract;
mod hooks;
mod library;
mod program;
mod table;

use std::fs;
use std::process::Command;

use table::{LANGUAGES, Language, Set};
use testkit::root;
use testkit::toolchain::{output, read};

/// Returns the row of a language in examples-ffi/README.md.
fn row(language: &Language) -> String {
    let link = format!("]({}/)", language.name);
    let page = read("examples-ffi/README.md");
    let found = page.lines().find(|line| line.starts_with('|') && line.contains(&link));
    found.unwrap_or_else(|| panic!("examples-ffi/README.md has no row with {link}")).to_owned()
}

#[test]
fn the_page_says_how_to_build_and_run() {
    for language in LANGUAGES {
        let row = row(language);
        for command in [language.build, language.run].iter().filter(|command| !command.is_empty()) {
            assert!(row.contains(&format!("`{command}`")), "{command:?} is not in: {row}");
        }
        for package in language.packages {
            assert!(row.contains(package), "{package} is not in: {row}");
        }
        assert_eq!(row.contains("| nightly |"), language.set == Set::All, "{row}");
    }
}

#[test]
fn every_directory_is_tested() {
    let entries = fs::read_dir(root("examples-ffi")).unwrap().map(Result::unwrap);
    let directories = entries.filter(|entry| entry.path().is_dir());
    for directory in directories.map(|entry| entry.file_name().into_string().unwrap()) {
        assert!(LANGUAGES.iter().any(|language| language.name == directory), "{directory}");
    }
}

/// The Makefile installs what scripts/deps.sh lists; the tests use what the table lists.
#[test]
fn the_packages_are_those_that_are_installed() {
    for (set, purpose) in [(Set::Ci, "languages"), (Set::All, "languages-all")] {
        let listed = output(Command::new(root("scripts/deps.sh")).args(["all", purpose]));
        let listed: Vec<&str> = listed.split_whitespace().collect();
        for language in LANGUAGES.iter().filter(|language| language.set == set) {
            for package in language.packages {
                assert!(listed.contains(package), "{purpose}: {package} is missing in {listed:?}");
            }
        }
    }
}
