//! Errors of the datapath. Each message says what helps.

use lb_common::abi::{ABI, FORMER_ABI};

/// What can go wrong with the datapath.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing is pinned under this name.
    #[error("no instance {0} is running; start one with `modlb --instance {0} attach IFACE --config FILE`")]
    NotRunning(String),
    /// The instance may run, but this process's mounts hide its pins.
    #[error(
        "no instance {instance} is visible from here: this command has mounts of its own, as under `ip netns exec`, and \
         does not see the BPF file system that others have; {way_out}"
    )]
    Hidden {
        /// The instance.
        instance: String,
        /// What to do instead.
        way_out: String,
    },
    /// The BPF file system ends with this process's mounts.
    #[error(
        "what is attached here would end with this command: it has mounts of its own, as under `ip netns exec`, \
         `unshare --mount` or in a unit with private mounts, and others do not see its BPF file system; {0}"
    )]
    EndsWithCommand(String),
    /// Somebody else made a directory, or can change what is in it.
    #[error(
        "{path} {reason}, so what is in it may not be modlb's; look at it, and remove it (`rm -r {path}`) or, if it is \
         yours, make it root's alone (`chown root: {path} && chmod 0700 {path}`)"
    )]
    Untrusted {
        /// The directory.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Only root may look.
    #[error("{0} can be looked at by root only; run modlb as root")]
    NotRoot(String),
    /// The pins were made by another version, or by something else.
    #[error(
        "{path} was made by something that this modlb does not understand ({reason}); use the modlb that made it, or \
         remove it with `modlb --instance {instance} detach`, which stops its traffic"
    )]
    Foreign {
        /// The directory.
        path: String,
        /// The instance.
        instance: String,
        /// What is wrong.
        reason: String,
    },
    /// It was made by the version before, which can be upgraded.
    #[error(
        "instance {0} was made by an earlier modlb (ABI {FORMER_ABI}, this is {ABI}) and forwards as before; `modlb \
         --instance {0} upgrade` brings it to this version without losing a packet"
    )]
    Former(String),
    /// The kernel's own types lack a field.
    #[error("this kernel's types have no field {member} of {structure}, which role keep reads")]
    NoKernelType {
        /// The structure.
        structure: &'static str,
        /// Its field.
        member: &'static str,
    },
    /// Counters are named by 16 bits, of which one number means none.
    #[error("service {0}: role keep takes at most 65,535 servers of a service, those of its previous lists included")]
    TooManyHolders(String),
    /// Another command holds the lock.
    #[error("another modlb command has been changing instance {0} for {1} s; try again when it has ended")]
    Locked(String, u64),
    /// Another command holds the lock at the moment.
    #[error("another modlb command is changing instance {0}")]
    Busy(String),
    /// Another command is tracing it.
    #[error(
        "instance {0} is being traced by another `modlb trace` or `modlb logs`, and only one can at a time; end that one first"
    )]
    Traced(String),
    /// The kernel does not report which program a clsact filter has.
    #[error(
        "instance {0} steers by a clsact filter, whose program cannot be swapped back safely; tracing role steer needs TCX \
         (Linux 6.6): attach without `--clsact`"
    )]
    TracedFilter(String),
    /// The instance belongs to another network namespace.
    #[error(
        "instance {0} works in another network namespace; enter it with `--netns`, choose another `--instance`, or \
         remove a stale one with `modlb --instance {0} detach`"
    )]
    OtherNamespace(String),
    /// More than the maps hold.
    #[error(
        "{what}: {needed} are needed, the instance holds {capacity}, and nothing was changed. {}", way_out(.what, .option, *.needed)
    )]
    Capacity {
        /// Of what.
        what: &'static str,
        /// How many the configuration needs.
        needed: u64,
        /// How many fit.
        capacity: u64,
        /// The option of `attach` that sets the capacity.
        option: &'static str,
    },
    /// More servers are asked for than can have counters.
    #[error(
        "`--max-servers {want}`: every possible CPU has its own counters, and with the {cpus} of this machine there is room for \
         {most} servers; ask for that or less"
    )]
    TooManyServers {
        /// How many were asked for.
        want: u32,
        /// How many fit.
        most: u32,
        /// How many CPUs are possible.
        cpus: u32,
    },
    /// More is asked for than a table can hold.
    #[error("`{option} {want}`: with this kernel a table has room for {most}; ask for {most} or less")]
    TooLarge {
        /// The option of `attach`.
        option: &'static str,
        /// What was asked for.
        want: u32,
        /// How many fit.
        most: u32,
    },
    /// A capacity is asked for that a running instance does not have.
    #[error(
        "`{option} {want}`: the instance was made with {have}, which stays as long as it runs; leave the option out, or \
         `modlb detach` first"
    )]
    FixedCapacity {
        /// The option of `attach`.
        option: &'static str,
        /// What was asked for.
        want: u32,
        /// What it has.
        have: u32,
    },
    /// A role is asked for that a running instance does not have.
    #[error(
        "role {want:?}: the instance was made with role {have:?}, which stays as long as it runs; `modlb detach` first"
    )]
    FixedRole {
        /// What was asked for.
        want: &'static str,
        /// What it has.
        have: &'static str,
    },
    /// More interfaces are attached than can be recorded.
    #[error("an instance can be attached to at most {0} interfaces; use another one (`--instance NAME`) for more")]
    TooManyInterfaces(usize),
    /// More interface settings are needed than the map can record.
    #[error("{0} multicast MACs and interface settings are needed, at most {1} are possible")]
    TooManyNicStates(usize, u32),
    /// No hash seed puts every key within reach of its home cell.
    #[error("the service table cannot be built: too many services hash to the same cells")]
    Unplaceable,
    /// The service table has no room for all peers.
    #[error(
        "peers: services have {sets} different sets of peers, {needed} MACs in all, and there is room for {most}; give services \
         that this host is a server of the same servers, or name fewer `peers`"
    )]
    TooManyPeers {
        /// How many MACs the sets have.
        needed: usize,
        /// How many sets there are.
        sets: usize,
        /// How many MACs fit.
        most: u32,
    },
    /// A MAC is missing.
    #[error("service {service}: server {server}: its MAC is not known")]
    NoMac {
        /// The service.
        service: String,
        /// The server.
        server: std::net::IpAddr,
    },
    /// The program cannot be attached.
    #[error("{interface}: {reason}")]
    Attach {
        /// The interface.
        interface: String,
        /// Why, and what helps.
        reason: String,
    },
    /// This binary was built without the eBPF toolchain.
    #[error("this modlb was built with AYA_BUILD_SKIP and has no datapath; build it without")]
    WithoutDatapath,
    /// A map, by its name.
    #[error("map {0}: {1}")]
    Map(&'static str, #[source] aya::maps::MapError),
    /// The kernel refused the object.
    #[error("the kernel refused the datapath: {0}")]
    Load(#[from] aya::EbpfError),
    /// The kernel refused the program.
    #[error("the kernel refused the program: {}", summary(.0))]
    Program(#[from] aya::programs::ProgramError),
    /// A link is not what it should be.
    #[error("the link of the program: {0}")]
    Link(#[from] aya::programs::links::LinkError),
    /// A system call.
    #[error("{0}: {1}")]
    Io(String, #[source] std::io::Error),
}

/// What helps if a configuration does not fit.
fn way_out(what: &str, option: &str, needed: u64) -> String {
    let share = match what {
        "slots" => {
            "Services with the same servers, weights and states share their slots, so make a change in all of them at \
             once (`modlb apply`)"
        }
        "services" => "Put other services under an instance of their own (`--instance`) on another interface",
        "servers of previous lists" => "End transitions that are over (`modlb transition --end FILE`)",
        _ => "Remove servers that are no longer in use (`modlb server remove`)",
    };
    format!(
        "{share}. For more room without losing traffic, let another balancer take over (`modlb standby`), then `modlb \
         detach`, and attach with `{option} {needed}` or more"
    )
}

/// The error with only the end of the verifier's log. The whole log is written as a debug message.
fn summary(error: &aya::programs::ProgramError) -> String {
    const LINES: usize = 3;
    let text = error.to_string();
    let Some((head, log)) = text.split_once("Verifier output:") else { return text };
    log::debug!("{log}");
    let lines: Vec<_> = log.trim_end().lines().collect();
    let tail = &lines[lines.len().saturating_sub(LINES)..];
    format!("{}\n{}\n(`-vv` shows the verifier's whole log)", head.trim_end(), tail.join("\n"))
}

impl Error {
    /// Whether a configuration does not fit the instance as it was made, so that trying again does not help.
    pub const fn is_lasting(&self) -> bool {
        matches!(
            self,
            Self::Capacity { .. }
                | Self::TooManyServers { .. }
                | Self::TooLarge { .. }
                | Self::FixedCapacity { .. }
                | Self::FixedRole { .. }
                | Self::TooManyInterfaces(_)
                | Self::TooManyNicStates(..)
                | Self::Unplaceable
                | Self::TooManyPeers { .. }
                | Self::WithoutDatapath
        )
    }

    /// Adds what was being done when a system call failed.
    pub(in crate::datapath) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |error| Self::Io(what, error)
    }

    /// The same for errors of nix.
    pub(in crate::datapath) fn errno(what: impl Into<String>) -> impl FnOnce(nix::Error) -> Self {
        let what = what.into();
        move |errno| Self::Io(what, errno.into())
    }
}

/// The result of everything here.
pub type Result<T> = std::result::Result<T, Error>;
