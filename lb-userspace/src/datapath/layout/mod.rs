//! A configuration → the contents of a half: pure, so that everything that can be wrong is found before anything is
//! written.
//!
//! ```text
//! lay_out   all of it                                   cells   where each service's key lies in the table
//! ledger    which counter is whose
//! ```

mod cells;
pub mod lay_out;
mod ledger;
