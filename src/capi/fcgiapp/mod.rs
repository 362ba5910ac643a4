//! fcgiapp.h: the FCGX_ functions.

mod print;
mod request;
mod stream;

pub use print::{FCGX_FPrintF, FCGX_VFPrintF};
pub use request::*;
pub use stream::*;

pub use super::layout::*;
