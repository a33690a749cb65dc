//! The agent: one process that keeps an instance as its configuration says, and true to the network around it. Traffic
//! never depends on it.
//!
//! ```text
//! source      the file                      reconcile   the file → the instance
//! neighbours  MACs                          follow      interfaces, and what other commands do
//! checks      health                        publish     what was found out → the instance
//! systemd     what systemd is told
//! ```
//!
//! Trap: it may be killed between any two system calls, and started anew. So nothing that matters is only in its
//! memory: what was found out about servers, and which file was put in force, is in the instance's maps. And it changes
//! the instance as any command does: under the lock, for no longer than a change takes.

mod checks;
mod follow;
mod neighbours;
mod publish;
mod reconcile;
mod run;
mod source;
mod state;
mod systemd;
mod until;

pub use run::run;
pub use state::Options;
