//! Brings an instance to a wanted state.
//!
//! ```text
//! plan       the difference between two configurations: pure
//! resolve    finds servers' MACs and locations, and peers' MACs
//! own        which servers are this host
//! peers      which peers to ask for, and what the answers mean: pure
//! emptied    refuses a file that leaves nothing
//! lockout    checks whether the operator would be cut off
//! sockets    the network namespaces of services' sockets
//! steps      steps that can be undone
//! inspect    compares what an instance has on interfaces with what the kernel lists
//! mend       brings it back to what is recorded
//! apply      changes the configuration of a running instance
//! reconcile  brings an instance to a configuration and interfaces
//! fit        chooses what to publish of findings that do not all fit
//! relocate   the same configuration on other interfaces
//! transition the previous lists that a new configuration needs: pure
//! upgrade    the same on maps of this version
//! rollback   rolls back changes that are not confirmed
//! ```

pub mod apply;
pub mod by_hand;
pub mod emptied;
pub mod fit;
pub mod inspect;
pub mod lockout;
pub mod mend;
pub mod own;
mod peers;
pub mod plan;
pub mod reconcile;
pub mod relocate;
pub mod resolve;
pub mod rollback;
pub mod sockets;
pub mod steps;
pub mod transition;
pub mod upgrade;
