//! One CPU for the measurement, with nothing else on it.

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

/// Binds this thread to the last CPU that it may use, with priority over all ordinary processes.
///
/// The kernel processes packets on the CPU that sends them, and another process on that CPU would look like slow
/// packets. If the kernel refuses the priority, figures are only noisier.
pub fn claim() {
    if let Ok(allowed) = sched_getaffinity(Pid::from_raw(0))
        && let Some(last) = (0..CpuSet::count()).rev().find(|cpu| allowed.is_set(*cpu).unwrap_or_default())
    {
        let mut only = CpuSet::new();
        let _ = only.set(last);
        let _ = sched_setaffinity(Pid::from_raw(0), &only);
    }
    let parameters = libc::sched_param { sched_priority: 1 };
    // SAFETY: affects only this thread; the parameters outlive the call.
    let _ = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameters) };
}
