//! Links the C library, wherever C compilers would look for it.

use std::env;

fn main() {
    println!("cargo:rustc-link-lib=fcgi");
    println!("cargo:rerun-if-env-changed=LIBRARY_PATH");
    for path in env::split_paths(&env::var_os("LIBRARY_PATH").unwrap_or_default()) {
        println!("cargo:rustc-link-search=native={}", path.display());
    }
}
