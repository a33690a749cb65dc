//! Turns a configuration into the contents of a half. Pure, so that all errors are found before anything is written.
//!
//! ```text
//! lay_out   the whole half                              cells   the hash table of services
//! ledger    which server has which counter              peers   whose frames are not balanced again
//! taken     which service has which counter of role `keep`
//! prefixes  what makes their search short
//! ```

mod cells;
mod keep;
pub mod lay_out;
mod ledger;
mod peers;
mod prefixes;
mod taken;
