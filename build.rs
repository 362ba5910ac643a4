//! Compiles the C shim, because stable Rust cannot define variadic functions.

use std::path::Path;
use std::{env, io};

const SHIM: &str = "src/shim/printf.c";

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed={SHIM}");
    println!("cargo:rerun-if-changed=include");
    let object = Path::new(&env::var_os("OUT_DIR").unwrap_or_default()).join("printf.o");

    // Distributions put -flto into CFLAGS, and rustc cannot link the result. The last flag counts, but cc
    // puts its own flags before those of CFLAGS: so this runs the compiler itself.
    let compiler = cc::Build::new().include("include").warnings(true).get_compiler();
    let mut command = compiler.to_command();
    command.arg("-fno-lto").args(["-c", SHIM, "-o"]).arg(&object);
    let status = command.status()?;
    if !status.success() {
        return Err(io::Error::other(format!("{command:?}: {status}")));
    }
    cc::Build::new().object(object).compile("fcgi_shim");
    Ok(())
}
