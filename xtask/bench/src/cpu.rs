//! One CPU for each stream of the measurement, with nothing else on it.

use std::fs;

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

/// Binds this thread to the last CPU that it may use, with priority over all ordinary processes.
///
/// The kernel processes packets on the CPU that sends them, and another process on that CPU would look like slow
/// packets. If the kernel refuses the priority, figures are only noisier.
pub fn claim() {
    if let Some(last) = allowed().last() {
        bind(*last);
    }
    prefer();
}

/// The same for a certain CPU.
pub fn claim_this(cpu: usize) {
    bind(cpu);
    prefer();
}

/// Two CPUs to compare with one, if there are as many: not both of one core, if that can be. Whether they are is also
/// said.
pub fn pair() -> Option<([usize; 2], Cores)> {
    choose(&allowed(), |cpu| {
        let path = format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
        fs::read_to_string(path).unwrap_or_default()
    })
}

/// The cores of two CPUs, as the kernel knows them. A virtual machine may hide that they share one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cores {
    /// Each has its own.
    Two,
    /// They are hyperthreads of one.
    One,
}

fn choose(cpus: &[usize], siblings: impl Fn(usize) -> String) -> Option<([usize; 2], Cores)> {
    let (last, others) = cpus.split_last()?;
    let elsewhere = others.iter().rev().find(|other| siblings(**other) != siblings(*last));
    match elsewhere {
        Some(other) => Some(([*last, *other], Cores::Two)),
        None => Some(([*last, *others.last()?], Cores::One)),
    }
}

/// The CPUs that this thread may use.
fn allowed() -> Vec<usize> {
    sched_getaffinity(Pid::from_raw(0)).map_or_else(
        |_| Vec::new(),
        |allowed| (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap_or_default()).collect(),
    )
}

fn bind(cpu: usize) {
    let mut only = CpuSet::new();
    let _ = only.set(cpu);
    let _ = sched_setaffinity(Pid::from_raw(0), &only);
}

fn prefer() {
    let parameters = libc::sched_param { sched_priority: 1 };
    // SAFETY: affects only this thread; the parameters outlive the call.
    let _ = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameters) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_cpus_of_different_cores_are_preferred() {
        let pairs = |cpu: usize| format!("{}-{}", cpu / 2 * 2, cpu / 2 * 2 + 1);
        assert_eq!(choose(&[0, 1, 2, 3], pairs), Some(([3, 1], Cores::Two)));
        assert_eq!(choose(&[2, 3], pairs), Some(([3, 2], Cores::One)));
        assert_eq!(choose(&[0, 1], |cpu| cpu.to_string()), Some(([1, 0], Cores::Two)));
    }

    #[test]
    fn one_cpu_has_no_other_to_be_compared_with() {
        assert_eq!(choose(&[0], |cpu| cpu.to_string()), None);
        assert_eq!(choose(&[], |cpu| cpu.to_string()), None);
    }
}
