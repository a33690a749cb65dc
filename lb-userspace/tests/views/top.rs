//! `modlb top` in a real terminal: tmux's.

use std::{
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::{
    need_root, send, services,
    support::{bench::Bench, namespace::run},
};

static NEXT: AtomicU32 = AtomicU32::new(0);

const PATIENCE: Duration = Duration::from_secs(20);

/// A terminal in which a shell runs the command, and then says how it ended and what state the terminal is in.
struct Terminal {
    socket: String,
}

impl Terminal {
    fn new(bench: &Bench, environment: &str, (width, height): (u16, u16)) -> Self {
        let socket = format!("mlbtest-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let arguments = format!("--netns {} --instance {}", bench.gateway.name(), bench.modlb.instance());
        let top = format!("env {environment} {} {arguments} top --interval 0.2", env!("CARGO_BIN_EXE_modlb"));
        let script = format!("echo before; {top}; echo status $?; stty -a; sleep 1000");
        let terminal = Self { socket };
        let (width, height) = (width.to_string(), height.to_string());
        run(terminal.tmux().args(["-f", "/dev/null", "new-session", "-d", "-x", &width, "-y", &height, &script]));
        terminal
    }

    fn tmux(&self) -> Command {
        let mut tmux = Command::new("tmux");
        tmux.args(["-L", &self.socket, "-u"]);
        tmux
    }

    fn press(&self, keys: &[&str]) {
        run(self.tmux().arg("send-keys").args(keys));
    }

    fn screen(&self) -> String {
        String::from_utf8(run(self.tmux().args(["capture-pane", "-p"])).stdout).unwrap()
    }

    /// With the escape sequences of colours.
    fn painted(&self) -> String {
        String::from_utf8(run(self.tmux().args(["capture-pane", "-p", "-e"])).stdout).unwrap()
    }

    /// Waits until all of this is on the screen.
    fn shows(&self, texts: &[&str]) -> String {
        let start = Instant::now();
        loop {
            let screen = self.screen();
            if texts.iter().all(|text| screen.contains(text)) {
                return screen;
            }
            assert!(start.elapsed() < PATIENCE, "{texts:?} are not all on the screen:\n{screen}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// The process that shows it.
    fn signal(&self, bench: &Bench, signal: &str) {
        let pattern = format!("^{} .*--instance {} top", env!("CARGO_BIN_EXE_modlb"), bench.modlb.instance());
        let pids = String::from_utf8(run(Command::new("pgrep").args(["-f", &pattern])).stdout).unwrap();
        run(Command::new("kill").arg(signal).args(pids.split_whitespace()));
    }

    /// The terminal is as it was: the screen before, lines, echo.
    fn is_given_back(&self) {
        self.shows(&["before", "status 0", " icanon", " echo "]);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.tmux().arg("kill-server").output();
    }
}

#[test]
fn rates_keys_and_the_end_of_the_instance() {
    need_root!();
    let bench = Bench::new(&services());
    let terminal = Terminal::new(&bench, "LC_ALL=C.UTF-8", (80, 24));
    terminal.shows(&["modlb ", "balancer  active", "web ", "2/3", "q leave"]);
    send(&bench, 90);
    terminal.shows(&["forwarded", "no_service", "█"]);
    terminal.press(&["Enter"]);
    terminal.shows(&["server of", "up ", "down "]);
    terminal.press(&["Escape"]);
    bench.modlb.ok("server down web 10.0.0.12");
    terminal.shows(&["web: 10.0.0.12 is down, was up", "1/3"]);
    bench.modlb.ok("standby");
    terminal.shows(&["balancer  standby", "now standby"]);
    bench.modlb.ok("detach");
    terminal.shows(&["is running; start one with", "It is shown as soon as it runs."]);
    bench.modlb.attach("eth0 --mode generic", &services());
    terminal.shows(&["balancer  active", "the instance is there"]);
    terminal.press(&["?"]);
    terminal.shows(&["modlb top: keys"]);
    terminal.press(&["q", "q"]);
    terminal.is_given_back();
}

#[test]
fn the_terminal_is_restored_however_it_ends() {
    need_root!();
    let bench = Bench::new(&services());
    for end in ["-TERM", "-INT", "-HUP", "C-c"] {
        let terminal = Terminal::new(&bench, "", (120, 40));
        terminal.shows(&["q leave", "web "]);
        match end {
            "C-c" => terminal.press(&["C-c"]),
            signal => terminal.signal(&bench, signal),
        }
        terminal.is_given_back();
    }
}

#[test]
fn without_colours_it_shows_the_same() {
    need_root!();
    let bench = Bench::new(&services());
    // A colour of the palette: ESC [ 38 ; 5 ; x m.
    let coloured = |text: &str| text.contains("[38;5;");
    for (environment, colours) in [("NO_COLOR=1", false), ("TERM=vt100", false), ("TERM=screen-256color", true)] {
        let terminal = Terminal::new(&bench, environment, (80, 24));
        terminal.shows(&["q leave", "web "]);
        assert_eq!(coloured(&terminal.painted()), colours, "{environment}: {}", terminal.painted());
    }
}

#[test]
fn without_a_terminal_the_error_names_an_alternative() {
    need_root!();
    let bench = Bench::new(&services());
    assert!(bench.modlb.fails("top").contains("needs a terminal; `modlb stats --watch 1`"));
    let dumb = Terminal::new(&bench, "TERM=dumb", (80, 24));
    dumb.shows(&["TERM=dumb cannot", "stats --watch 1", "status 1"]);
}
