//! What can go wrong with the datapath; each message names the way out.

/// What can go wrong with the datapath.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing is pinned under this name.
    #[error("no instance {0} is running; start one with `modlb --instance {0} attach IFACE --config FILE`")]
    NotRunning(String),
    /// The pins are of another version, or of somebody else.
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
    /// Another command holds the lock.
    #[error("another modlb command has been changing instance {0} for {1} s; try again when it has ended")]
    Locked(String, u64),
    /// Another command traces it.
    #[error(
        "instance {0} is being traced by another `modlb trace` or `modlb logs`, and only one can at a time; end that one first"
    )]
    Traced(String),
    /// A filter of clsact cannot be asked which program it has.
    #[error(
        "instance {0} steers by a filter of clsact, whose program cannot be swapped out again safely; it can be traced only where \
         the kernel has TCX (6.6), attached without `--clsact`"
    )]
    TracedFilter(String),
    /// The instance works in another network namespace.
    #[error(
        "instance {0} works in another network namespace; enter it with `--netns`, choose another `--instance`, or \
         remove a stale one with `modlb --instance {0} detach`"
    )]
    OtherNamespace(String),
    /// More than the maps hold.
    #[error(
        "{what}: {needed} are needed, the instance holds {capacity}; `modlb detach`, and attach with `{option} {needed}` or more"
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
    /// More servers are asked for than there can be counters.
    #[error(
        "`--max-servers {want}`: each CPU has counters of its own, and on this machine, where CPUs may have {cpus} numbers, there \
         can be those of {most} servers"
    )]
    TooManyServers {
        /// How many were asked for.
        want: u32,
        /// How many fit.
        most: u32,
        /// How many numbers CPUs may have.
        cpus: u32,
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
        /// What is.
        have: u32,
    },
    /// A role is asked for that a running instance does not have.
    #[error(
        "role {want:?}: the instance was made with role {have:?}, which stays as long as it runs; `modlb detach` first"
    )]
    FixedRole {
        /// What was asked for.
        want: &'static str,
        /// What is.
        have: &'static str,
    },
    /// More is to be held of interfaces than can be remembered.
    #[error("{0} multicast MACs and interface settings are needed, at most {1} are possible")]
    TooManyNicStates(usize, u32),
    /// No seed places every service within reach; does not happen with distinct services.
    #[error("the service table cannot be built: too many services meet in one place")]
    Unplaceable,
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
    /// The interfaces that frames are redirected to cannot be changed.
    #[error("map DEVICES: {0}")]
    Devices(#[from] aya::maps::xdp::XdpMapError),
    /// A link is not what it should be.
    #[error("the link of the program: {0}")]
    Link(#[from] aya::programs::links::LinkError),
    /// A system call.
    #[error("{0}: {1}")]
    Io(String, #[source] std::io::Error),
}

/// The error without the verifier's log but for its end; the log goes where logs go.
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
    /// Says what was being done when a system call failed.
    pub(in crate::datapath) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |error| Self::Io(what, error)
    }

    /// The same for nix.
    pub(in crate::datapath) fn errno(what: impl Into<String>) -> impl FnOnce(nix::Error) -> Self {
        let what = what.into();
        move |errno| Self::Io(what, errno.into())
    }
}

/// The result of everything here.
pub type Result<T> = std::result::Result<T, Error>;
