//! What systemd is told (`Type=notify`). Where nobody listens, nothing is.

use sd_notify::NotifyState;

/// The instance is in the state that the file asks for, or stays in the one that it had.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The file is being read again.
pub fn reloading() {
    let now = NotifyState::monotonic_usec_now();
    tell(&now.map_or_else(|_| vec![NotifyState::Reloading], |now| vec![NotifyState::Reloading, now]));
}

/// A line for `systemctl status`.
pub fn status(status: &str) {
    tell(&[NotifyState::Status(status)]);
}

/// The agent ends; the instance does not.
pub fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("ended; the instance goes on without it")]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        log::debug!("systemd is not told: {error}");
    }
}
