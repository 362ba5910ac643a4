//! Reads the text of src: lines without comments and tests, words, and paths.

use std::fs;
use std::path::{Path, PathBuf};

pub(crate) fn files(dir: &str, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(dir)];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten() {
            let path = entry.unwrap().path();
            let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
            if path.is_dir() {
                open.push(path);
            } else if endings.contains(&ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// One Rust file of src: its path in the repository, and its lines up to the tests at its end. A file of
/// tests has no lines.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) lines: Vec<String>,
}

pub(crate) fn sources() -> Vec<Source> {
    let source = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let is_tests = path.ends_with("tests.rs");
        let shipped = text.split("#[cfg(test)]\nmod ").next().filter(|_| !is_tests);
        let shipped = shipped.unwrap_or_default();
        let path = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().display().to_string();
        Source { path, lines: shipped.lines().map(str::to_owned).collect() }
    };
    let all: Vec<Source> = files("src", &["rs"]).into_iter().map(source).collect();
    assert!(all.len() > 10, "the source is not where it was");
    all
}

impl Source {
    /// Returns the code without comments, with line numbers.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let strip = |line: &'_ str| match line.find("//") {
            Some(at) if !line[..at].ends_with(':') => at,
            _ => line.len(),
        };
        self.lines.iter().enumerate().map(move |(at, line)| (at + 1, &line[..strip(line)]))
    }

    /// Returns every line of code for which `offends` holds, ready to be shown.
    pub(crate) fn offences(&self, offends: impl Fn(&str) -> bool) -> Vec<String> {
        let lines = self.code().filter(|(_, code)| offends(code));
        lines.map(|(number, code)| format!("{}:{number}: {}", self.path, code.trim())).collect()
    }
}

pub(crate) fn is_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Returns whether `code` contains `word` as a whole word.
pub(crate) fn has_word(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        !code[..at].ends_with(is_name) && !code[at + word.len()..].starts_with(is_name)
    })
}

/// Returns all paths that begin with `root::`, without `root::`; those in braces one by one.
pub(crate) fn paths_below<'a>(code: &'a str, root: &str) -> Vec<Vec<&'a str>> {
    let mut paths = Vec::new();
    for (at, found) in code.match_indices(&format!("{root}::")) {
        if !code[..at].ends_with(is_name) && !code[..at].ends_with("::") {
            read_path(&code[at + found.len()..], &[], &mut paths);
        }
    }
    paths
}

/// Reads what follows `::`: a name and perhaps more of the path, or several paths in braces. Returns the
/// rest.
pub(crate) fn read_path<'a>(
    code: &'a str,
    before: &[&'a str],
    paths: &mut Vec<Vec<&'a str>>,
) -> &'a str {
    let code = code.trim_start();
    if let Some(mut inner) = code.strip_prefix('{') {
        while !inner.trim_start().starts_with('}') {
            inner = read_path(inner, before, paths).trim_start();
            let Some(next) = inner.strip_prefix(',') else { break };
            inner = next;
        }
        return inner.trim_start().trim_start_matches('}');
    }
    let (name, rest) = code.split_at(code.find(|c| !is_name(c)).unwrap_or(code.len()));
    let path = [before, &[name][..]].concat();
    if let Some(rest) = rest.strip_prefix("::") {
        return read_path(rest, &path, paths);
    }
    paths.push(path);
    // "A as B", and "*", whose name is empty.
    let end = rest.find([',', '}', ';', '\n', '(', ')']).unwrap_or(rest.len());
    &rest[end..]
}

/// Returns the first names of all paths that begin with `root::`.
pub(crate) fn names_below<'a>(code: &'a str, root: &str) -> Vec<&'a str> {
    let first = paths_below(code, root).into_iter().filter_map(|path| path.first().copied());
    let mut names: Vec<&str> = first.filter(|name| !name.is_empty()).collect();
    names.dedup();
    names
}

/// Shows all offences and fails if there are any.
pub(crate) fn assert_none(offences: Vec<String>, rule: &str) {
    assert!(offences.is_empty(), "{rule}:\n{}", offences.join("\n"));
}
