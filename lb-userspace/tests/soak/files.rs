//! An agent's file that is replaced in every way, emptied, cut off and made unreadable, beside a noisy neighbour.
//!
//! Every version that is valid and stays is in force within 15 s, nothing else ever is, and no datagram is lost.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::{
    need_root, number,
    random::Random,
    support::{
        network::{Network, SERVICES, datagrams_to},
        wait::wait,
    },
};

const SERVERS: usize = 3;

/// Each client's pause between two datagrams.
const PACE: Duration = Duration::from_millis(5);

/// A valid version that stays for this long is in force.
const IN_FORCE_WITHIN: Duration = Duration::from_secs(15);

/// How long what is not valid stays: longer than any look that an event causes.
const BAD_FOR: Duration = Duration::from_millis(3_500);

/// The directory with the file, and what is beside it.
struct Place {
    parent: tempfile::TempDir,
    made: usize,
}

/// A way to replace the file, or to make it unusable.
type Way = (&'static str, fn(&mut Place, &str));

const GOOD: [Way; 8] = [
    ("write in place", |place, text| fs::write(place.file(), text).unwrap()),
    ("write in pieces", |place, text| {
        let mut file = File::create(place.file()).unwrap();
        for piece in text.as_bytes().chunks(text.len() / 4 + 1) {
            file.write_all(piece).unwrap();
            thread::sleep(Duration::from_millis(150));
        }
    }),
    ("rename", |place, text| place.rename_over(|new| fs::write(new, text).unwrap())),
    ("a link instead", |place, text| {
        let target = place.elsewhere(text);
        place.rename_over(|new| symlink(target, new).unwrap());
    }),
    ("the target of a link", |place, text| {
        // Of a link to another directory, whose watch is not that of the file's own.
        let target = place.elsewhere("# not yet");
        place.rename_over(|new| symlink(&target, new).unwrap());
        fs::write(target, text).unwrap();
    }),
    ("a directory swapped by renames", |place, text| {
        let next = place.fresh();
        fs::create_dir(&next).unwrap();
        fs::write(next.join("modlb.toml"), text).unwrap();
        let former = place.fresh();
        fs::rename(place.live(), &former).unwrap();
        fs::rename(next, place.live()).unwrap();
        let _ = fs::remove_dir_all(former);
    }),
    ("a ConfigMap's ..data", |place, text| {
        let data = place.live().join(format!("..{}", place.made));
        place.made += 1;
        fs::create_dir(&data).unwrap();
        fs::write(data.join("modlb.toml"), text).unwrap();
        let new = place.live().join("..data_tmp");
        symlink(data.file_name().unwrap(), &new).unwrap();
        fs::rename(new, place.live().join("..data")).unwrap();
        if fs::read_link(place.file()).ok().as_deref() != Some(Path::new("..data/modlb.toml")) {
            place.rename_over(|new| symlink("..data/modlb.toml", new).unwrap());
        }
    }),
    ("directory removed and made again", |place, text| {
        let _ = fs::remove_dir_all(place.live());
        thread::sleep(Duration::from_millis(300));
        fs::create_dir_all(place.live()).unwrap();
        fs::write(place.file(), text).unwrap();
    }),
];

const BAD: [Way; 9] = [
    ("truncated", |place, _| fs::write(place.file(), "").unwrap()),
    ("emptied by a rename", |place, _| place.rename_over(|new| fs::write(new, "# nothing\n").unwrap())),
    ("without servers", |place, text| {
        let services = text.lines().filter(|line| !line.contains("server") && !line.contains("address = \"10."));
        let services: Vec<_> = services.filter(|line| !line.contains("address = \"fd00")).collect();
        fs::write(place.file(), services.join("\n")).unwrap();
    }),
    ("cut off", |place, text| fs::write(place.file(), &text[..text.rfind("address").unwrap() + 11]).unwrap()),
    ("no text", |place, _| fs::write(place.file(), b"\xff\xfe\x00").unwrap()),
    ("too large", |place, _| File::create(place.file()).unwrap().set_len(1 << 30).unwrap()),
    ("removed", |place, _| fs::remove_file(place.file()).unwrap()),
    ("a directory", |place, _| {
        fs::remove_file(place.file()).unwrap();
        fs::create_dir(place.file()).unwrap();
    }),
    ("a link to nothing", |place, _| {
        let target = place.fresh();
        place.rename_over(|new| symlink(target, new).unwrap());
    }),
];

impl Place {
    fn live(&self) -> PathBuf {
        self.parent.path().join("live")
    }

    fn file(&self) -> PathBuf {
        self.live().join("modlb.toml")
    }

    /// A path that nothing has.
    fn fresh(&mut self) -> PathBuf {
        self.made += 1;
        self.parent.path().join(format!("other-{}", self.made))
    }

    /// A file with this text in another directory.
    fn elsewhere(&mut self, text: &str) -> PathBuf {
        let directory = self.fresh();
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("real.toml"), text).unwrap();
        directory.join("real.toml")
    }

    fn rename_over(&self, make: impl FnOnce(&Path)) {
        let new = self.live().join("new");
        make(&new);
        fs::rename(new, self.file()).unwrap();
    }

    /// Whatever the file is, it is one that can be written.
    fn repair(&self) {
        let _ = fs::remove_dir(self.file());
        if fs::metadata(self.file()).is_err() {
            let _ = fs::remove_file(self.file());
        }
    }
}

/// The agent, which is killed now and then.
struct Agent<'a> {
    network: &'a Network,
    file: PathBuf,
    log: PathBuf,
    child: Child,
}

impl<'a> Agent<'a> {
    fn start(network: &'a Network, place: &Place) -> Self {
        let (file, log) = (place.file(), place.parent.path().join("log"));
        let child = Self::spawn(network, &file, &log);
        Self { network, file, log, child }
    }

    fn spawn(network: &Network, file: &Path, log: &Path) -> Child {
        let mut command = network.modlb.command("agent --listen none --mode native --config");
        let log = File::options().create(true).append(true).open(log).unwrap();
        command.arg(file).stdin(Stdio::null()).stderr(log).spawn().unwrap()
    }

    fn restart(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.child = Self::spawn(self.network, &self.file, &self.log);
    }

    /// The version in force: the name of the last service.
    fn version(&self) -> Option<String> {
        let services = self.network.modlb.json("services");
        Some(services.as_array()?.last()?["name"].as_str()?.to_owned())
    }

    /// The end of its log.
    fn log(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

impl Drop for Agent<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A version with its number as the name of a service.
fn text(network: &Network, version: usize, servers: usize) -> String {
    let services = network.configuration(servers as u8, "");
    format!(
        "interfaces = [\"eth0\"]\n{services}[[service]]\nname = \"v{version}\"\naddress = \"203.0.113.99\"\n\
         [[service.server]]\naddress = \"10.0.0.11\"\n"
    )
}

/// Writes to other files in the directory all the time, whichever it is.
fn make_noise(live: &Path, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        let _ = fs::write(live.join("noise"), "noise");
        let _ = fs::rename(live.join("noise"), live.join("noise.1"));
        thread::sleep(Duration::from_millis(50));
    }
}

fn send(network: &Network, over: &AtomicBool, sent: &AtomicU64) {
    let sockets: Vec<_> = SERVICES
        .iter()
        .flat_map(|&service| network.client_addresses(service).into_iter().map(move |client| (client, service)))
        .map(|(client, service)| network.client.within(|| datagrams_to(client, service)))
        .collect();
    while !over.load(Ordering::Relaxed) {
        for socket in &sockets {
            socket.send(b"?").unwrap();
            sent.fetch_add(1, Ordering::Relaxed);
        }
        thread::sleep(PACE);
    }
}

/// Replaces the file until the time is over. Returns how many versions there were, and the longest wait for one.
fn replace_files(network: &Network, place: &mut Place, end: Instant, seed: u64) -> (usize, Duration) {
    let mut agent = Agent::start(network, place);
    let (mut random, mut version, mut longest) = (Random::new(seed), 0, Duration::ZERO);
    while Instant::now() < end {
        version += 1;
        let (way, make) = GOOD[random.below(GOOD.len())];
        let text = text(network, version, 1 + random.below(SERVERS));
        make(place, &text);
        let name = format!("v{version}");
        let took = wait(
            || agent.version().as_ref() == Some(&name),
            || format!("seed {seed}: {name} by {way} is not in force, but {:?}:\n{}", agent.version(), agent.log()),
        );
        assert!(took <= IN_FORCE_WITHIN, "seed {seed}: {name} by {way} took {took:?}:\n{}", agent.log());
        longest = longest.max(took);
        if random.below(8) == 0 {
            agent.restart();
        }
        if random.below(3) == 0 {
            let (way, make) = BAD[random.below(BAD.len())];
            make(place, &text);
            let until = Instant::now() + BAD_FOR;
            while Instant::now() < until {
                assert_eq!(agent.version(), Some(name.clone()), "seed {seed}: {way}:\n{}", agent.log());
                thread::sleep(Duration::from_millis(100));
            }
            place.repair();
        }
    }
    (version, longest)
}

#[test]
fn every_version_of_a_file_is_put_in_force_and_traffic_never_stops() {
    need_root!();
    let (minutes, seed) = (number("MODLB_SOAK_MINUTES").unwrap_or(1), number("MODLB_SOAK_SEED").unwrap_or(1));
    let network = Network::new(SERVERS as u8, 4);
    network.pass(true);
    let mut place = Place { parent: tempfile::tempdir().unwrap(), made: 0 };
    fs::create_dir(place.live()).unwrap();
    fs::write(place.file(), text(&network, 0, SERVERS)).unwrap();
    network.modlb.ok(&format!("attach --mode native --config {}", place.file().display()));
    let (over, sent, before) = (AtomicBool::new(false), AtomicU64::new(0), network.datagrams());
    let end = Instant::now() + Duration::from_secs(minutes * 60);
    let live = place.live();
    let (versions, longest) = thread::scope(|scope| {
        scope.spawn(|| make_noise(&live, &over));
        scope.spawn(|| send(&network, &over, &sent));
        let work = std::panic::AssertUnwindSafe(|| replace_files(&network, &mut place, end, seed));
        let result = std::panic::catch_unwind(work);
        over.store(true, Ordering::Relaxed);
        result.unwrap()
    });
    let sent = sent.load(Ordering::Relaxed);
    let received = || network.datagrams() - before;
    wait(|| received() == sent, || format!("seed {seed}: {} of {sent} datagrams arrived", received()));
    eprintln!("{versions} versions, each in force within {longest:?}; {sent} datagrams, none lost");
}
