//! The agent: a process that keeps an instance in line with its configuration file and the network. Traffic never
//! depends on it.
//!
//! ```text
//! source      watches the file              decision    what becomes of it
//! file        what is known about it        refusal     why it is not in force
//! reconcile   the file → the instance       lock        the instance's lock
//! neighbours  MACs                          follow      interfaces, and changes by other commands
//! checks      health checks                 publish     findings → the instance
//! systemd     notifies systemd              only        one agent for each instance
//! unconfirmed rolls back a change whose waiting process was killed
//! stop        when it ends                memory      given back to the system
//! ```
//!
//! Trap: it may be killed between any two system calls, and started again. So its findings about servers, and the
//! digest of the file in force, are in the instance's maps, not only in its memory. It changes the instance as any
//! command does: under the lock, for no longer than a change takes.

mod checks;
mod decision;
mod file;
mod follow;
mod inspect;
mod lock;
mod memory;
mod neighbours;
mod only;
mod publish;
mod reconcile;
mod refusal;
mod run;
mod source;
mod state;
mod stop;
mod systemd;
mod unconfirmed;
mod until;

pub use run::run;
pub use state::Options;
