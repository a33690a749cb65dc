//! Notifies systemd (`Type=notify`), if it started the agent.

use sd_notify::NotifyState;

/// The file is in force, or it was refused and the instance stays as it was.
pub fn ready(status: &str) {
    notify(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The file is being read again.
pub fn reloading() {
    let now = NotifyState::monotonic_usec_now();
    notify(&now.map_or_else(|_| vec![NotifyState::Reloading], |now| vec![NotifyState::Reloading, now]));
}

/// A line for `systemctl status`.
pub fn status(status: &str) {
    notify(&[NotifyState::Status(status)]);
}

/// The agent ends; the instance does not.
pub fn stopping() {
    notify(&[NotifyState::Stopping, NotifyState::Status("ended; the instance goes on without it")]);
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        log::debug!("cannot notify systemd: {error}");
    }
}
