//! Whether the original runs next to ours, and its stored answers.

use std::env;
use std::fs;

use super::root;

/// Returns whether tests run on the original too. They do unless LIBFCGI_ORIGINAL is "stored", as `make
/// test` sets it: then the original's behavior is known from stored answers.
pub fn has_original() -> bool {
    let Some(choice) = env::var_os("LIBFCGI_ORIGINAL") else { return true };
    assert_eq!(choice, "stored", "LIBFCGI_ORIGINAL can only be \"stored\"");
    false
}

/// Returns a stored answer of the original, from a file of the repository.
pub fn stored(path: &str) -> String {
    fs::read_to_string(root(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Compares an answer that the original has just made with the stored one. UPDATE_STORED=1 stores it
/// instead.
pub fn store(path: &str, said: &str) {
    if env::var_os("UPDATE_STORED").is_some() {
        fs::create_dir_all(root(path).parent().unwrap()).unwrap();
        fs::write(root(path), said).unwrap();
    }
    let kept = stored(path);
    let at = kept.lines().zip(said.lines()).take_while(|(kept, said)| kept == said).count();
    let line = |text: &str| text.lines().nth(at).unwrap_or("(end)").to_owned();
    assert!(
        kept == said,
        "the original says something else than {path}, line {}; UPDATE_STORED=1 stores it\n  \
         is     {}\n  stored {}",
        at + 1,
        line(said),
        line(&kept)
    );
}
