//! Reads the manual pages of man/, which are written in mdoc(7).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::header::without_tags;
use testkit::root;
use testkit::toolchain::read;

/// Returns every page of section 3: its name, and the page whose text it has.
pub(crate) fn pages() -> BTreeMap<String, String> {
    let mut pages = BTreeMap::new();
    for entry in fs::read_dir(root("man")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(page) = name.strip_suffix(".3") else { continue };
        let text = read(&format!("man/{name}"));
        let target = text.strip_prefix(".so man3/").map(|rest| rest.trim_end());
        let target = target.map_or(page, |target| target.strip_suffix(".3").unwrap());
        pages.insert(page.to_owned(), target.to_owned());
    }
    pages
}

/// Returns a section of a page, line by line.
pub(crate) fn section(page: &str, heading: &str) -> Vec<String> {
    let text = read(&format!("man/{page}.3"));
    let lines = text.lines().skip_while(|line| *line != format!(".Sh {heading}")).skip(1);
    lines.take_while(|line| !line.starts_with(".Sh ")).map(str::to_owned).collect()
}

/// Returns the names that a page describes.
pub(crate) fn names(page: &str) -> BTreeSet<String> {
    let lines = section(page, "NAME");
    let names = lines.iter().filter_map(|line| line.strip_prefix(".Nm "));
    names.map(|name| name.trim_end_matches(" ,").to_owned()).collect()
}

/// Returns the arguments of a macro: words, and texts in quotes.
fn arguments(text: &str) -> Vec<&str> {
    let mut arguments = Vec::new();
    for (number, piece) in text.split('"').enumerate() {
        if number % 2 == 1 {
            arguments.push(piece);
        } else {
            arguments.extend(piece.split_whitespace());
        }
    }
    arguments
}

/// Returns the prototypes in a page's synopsis.
pub(crate) fn prototypes(page: &str) -> BTreeSet<String> {
    let mut result = String::new();
    let mut prototypes = BTreeSet::new();
    for line in section(page, "SYNOPSIS") {
        if let Some(rest) = line.strip_prefix(".Ft ") {
            result = arguments(rest).join(" ");
        } else if let Some(rest) = line.strip_prefix(".Fn ") {
            let all = arguments(rest);
            let (name, parameters) = all.split_first().unwrap();
            let text = format!("{result} {name}({})", parameters.join(", "));
            prototypes.insert(without_tags(&text.replace("* ", "*")));
        }
    }
    prototypes
}

/// Returns the errors that a page lists.
pub(crate) fn errors(page: &str) -> BTreeSet<String> {
    let lines = section(page, "ERRORS");
    let rows = lines.iter().filter_map(|line| line.strip_prefix(".It Bq "));
    let words = rows.flat_map(|row| row.split([' ', ','])).filter(|word| word.starts_with('E'));
    words.filter(|word| *word != "Er").map(str::to_owned).collect()
}
