//! Compiles the C shim: C-variadic functions cannot be defined in stable Rust.

fn main() {
    println!("cargo:rerun-if-changed=src/shim/printf.c");
    println!("cargo:rerun-if-changed=include");
    cc::Build::new()
        .file("src/shim/printf.c")
        .include("include")
        .warnings(true)
        // Distributions put -flto into CFLAGS; rustc cannot link such objects. The last word counts.
        .flag_if_supported("-fno-lto")
        .compile("fcgi_shim");
}
