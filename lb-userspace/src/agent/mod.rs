//! The agent: a process that keeps an instance in line with its configuration file and the network. Traffic never
//! depends on it.
//!
//! ```text
//! source      watches the file              reconcile   the file → the instance
//! neighbours  MACs                          follow      interfaces, and changes by other commands
//! checks      health checks                 publish     findings → the instance
//! systemd     notifies systemd
//! ```
//!
//! Trap: it may be killed between any two system calls, and started again. So its findings about servers, and the
//! digest of the file in force, are in the instance's maps, not only in its memory. It changes the instance as any
//! command does: under the lock, for no longer than a change takes.

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
