//! Web servers, configured as docs/web-servers.md says, and the application behind them.

pub mod app;
pub mod document;
pub mod http;
pub mod servers;
pub mod site;
