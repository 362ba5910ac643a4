//! Every cell of the table "Who owns what" at the top of `capi`, checked by open descriptors and by
//! growth of memory. The cells themselves are in testkit/programs/ownership.c.

use std::process::Command;

use testkit::{Library, PATIENCE, TempDir, helper, run};

fn holds(cell: &str, library: Library) {
    let dir = TempDir::new();
    let mut command = Command::new(helper("ownership", library));
    command.arg(cell).current_dir(dir.path());
    run(library.under(&mut command), PATIENCE).must_succeed();
}

macro_rules! cells {
    ($libraries:expr => $($cell:ident)*) => {
        $(
            #[test]
            fn $cell() {
                for library in $libraries {
                    println!("on {library:?}");
                    holds(stringify!($cell), library);
                }
            }
        )*
    };
}

cells! { Library::BOTH =>
    fresh
    accepted
    finished
    detached
    kept
    free_0
    free_1
    init_again
    fork_accepted
}

// The original never waits for a kept or silent connection together with the listen socket, and
// leaves a kept one to its request.
cells! { [Library::Ours] =>
    waiting
    kept_then_parked
    init_again_kept
    fork_kept
    fork_parked
}
