//! Commands whose reader does not read.

use std::{
    fs::File,
    io::{PipeReader, Read as _},
    os::{fd::AsRawFd as _, unix::process::CommandExt as _},
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::{
        signal::{SigHandler, Signal, kill, signal},
        stat::Mode,
    },
    unistd::{Pid, mkfifo},
};

use crate::{
    is_traced, need_root, program_id,
    support::{
        network::{Network, SERVICES, datagrams_to},
        wait::wait,
    },
};

/// How long a command may take to hear a signal. (It takes a tenth of a second; a busy machine may take longer.)
const SOON: Duration = Duration::from_secs(5);

/// A pipe that takes a page, so that few lines fill it.
fn small_pipe() -> (PipeReader, std::io::PipeWriter) {
    let (reader, writer) = std::io::pipe().unwrap();
    // SAFETY: changes the size of a pipe that is open.
    assert!(unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_SETPIPE_SZ, 4_096) } > 0);
    (reader, writer)
}

/// Far more than a small pipe takes of any command.
const DATAGRAMS: u32 = 300;

/// Gives a tracing command more to write than its pipe takes.
fn fill(network: &Network) {
    network.client.within(|| {
        let sockets = SERVICES.map(|service| datagrams_to(network.client_addresses(service)[0], service));
        for _ in 0..DATAGRAMS {
            for socket in &sockets {
                // A server that is not resolved yet is none of this test's business.
                let _ = socket.send(b"x");
            }
            thread::sleep(Duration::from_millis(1));
        }
    });
}

fn spawn(network: &Network, arguments: &str, out: impl Into<Stdio>) -> Child {
    let mut command = network.modlb.command(arguments);
    // SAFETY: signal(2) may be called between fork and exec. Whoever runs the tests may ignore SIGHUP, and children
    // inherit that.
    unsafe { command.pre_exec(|| Ok(signal(Signal::SIGHUP, SigHandler::SigDfl).map(drop)?)) };
    command.stdout(out).stderr(Stdio::null()).stdin(Stdio::null()).spawn().unwrap()
}

fn start(network: &Network, command: &str, out: impl Into<Stdio>) -> Child {
    let child = spawn(network, command, out);
    wait(|| is_traced(&network.modlb), || format!("{command} does not begin"));
    child
}

fn ends(mut child: Child, what: &str) {
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > SOON {
            child.kill().unwrap();
            panic!("{what}: it does not hear the signal");
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn network() -> Network {
    let network = Network::new(1, 1);
    network.attach("native", &network.configuration(1, "protocol = \"udp\"\nport = 9000"));
    network
}

#[test]
fn a_trace_that_nobody_reads_hears_signals() {
    need_root!();
    let network = network();
    let program = program_id(&network.modlb);
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        for command in ["trace", "trace --json", "trace --pcap -", "logs --level debug"] {
            let (mut reader, writer) = small_pipe();
            let child = start(&network, command, writer);
            fill(&network);
            kill(Pid::from_raw(child.id() as i32), signal).unwrap();
            ends(child, &format!("{command}, {signal}"));
            // After SIGHUP that is for the watchdog to do.
            wait(|| !is_traced(&network.modlb), || format!("{command}, {signal}: the tracing program is left"));
            assert_eq!(program_id(&network.modlb), program, "{command}, {signal}");
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).unwrap();
            assert!(!bytes.is_empty(), "{command}, {signal}: nothing was printed");
        }
    }
}

/// What is slow to read is read in the end.
#[test]
fn a_slow_reader_gets_everything() {
    need_root!();
    let network = network();
    let (mut reader, writer) = small_pipe();
    let child = start(&network, "trace --json --outcome forwarded --count 200", writer);
    let reading = thread::spawn(move || {
        let (mut text, mut bytes) = (Vec::new(), [0; 1_000]);
        loop {
            match reader.read(&mut bytes).unwrap() {
                0 => return String::from_utf8(text).unwrap(),
                read => text.extend_from_slice(&bytes[..read]),
            }
            thread::sleep(Duration::from_millis(1));
        }
    });
    fill(&network);
    let lines = reading.join().unwrap();
    ends(child, "trace --count");
    assert_eq!(crate::events(&lines).len(), 200);
}

/// Opening it waits for a reader; the programs are swapped by then.
#[test]
fn a_named_pipe_without_a_reader_keeps_no_signal_away() {
    need_root!();
    let network = network();
    let files = tempfile::tempdir().unwrap();
    let fifo = files.path().join("fifo");
    mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    let command = format!("trace --pcap {}", fifo.display());
    for read in [false, true] {
        let child = start(&network, &command, Stdio::null());
        let reader = read.then(|| File::open(&fifo).unwrap());
        if read {
            fill(&network);
        }
        kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
        ends(child, &format!("{command}, read: {read}"));
        assert!(!is_traced(&network.modlb), "read: {read}");
        let mut bytes = Vec::new();
        if let Some(mut reader) = reader {
            reader.read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes[..4], [0x0a, 0x0d, 0x0d, 0x0a], "no section header");
        }
    }
}

#[test]
fn other_commands_that_nobody_reads_hear_signals() {
    need_root!();
    let network = network();
    let service = |number: u32| format!("[[service]]\nname = \"service-{number}\"\naddress = \"203.0.{number}.1\"\n");
    let services: String = (0..200).map(service).collect();
    network.modlb.apply(&format!("empty = true\n{services}"));
    for command in ["stats --watch 0.1", "stats", "status", "export", "services --json"] {
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            let (mut reader, writer) = small_pipe();
            let child = spawn(&network, command, writer);
            // It prints; and more than fits.
            let mut byte = [0];
            reader.read_exact(&mut byte).unwrap();
            thread::sleep(Duration::from_millis(200));
            kill(Pid::from_raw(child.id() as i32), signal).unwrap();
            ends(child, &format!("{command}, {signal}"));
        }
    }
}
