//! One CPU for what is measured, and nothing else on it meanwhile.

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

/// Binds this thread to the last CPU that it may use, and has it go before all ordinary processes there.
///
/// What packets take is work of the kernel on their way, done on the CPU that sends them. Another process that is given
/// a share of that CPU would look like slow packets. Where the kernel does not allow it, measuring is only noisier.
pub fn claim() {
    if let Ok(allowed) = sched_getaffinity(Pid::from_raw(0))
        && let Some(last) = (0..CpuSet::count()).rev().find(|cpu| allowed.is_set(*cpu).unwrap_or_default())
    {
        let mut only = CpuSet::new();
        let _ = only.set(last);
        let _ = sched_setaffinity(Pid::from_raw(0), &only);
    }
    let parameters = libc::sched_param { sched_priority: 1 };
    // SAFETY: concerns this thread alone; the parameters outlive the call.
    let _ = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameters) };
}
