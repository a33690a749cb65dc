//! How long tests take.
//!
//! A test binary reports when a test ends, not when it starts. But it starts tests in the order of their names, as
//! many at a time as there are threads, and the next one when another ends. From that follows when each started.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, Read, Write},
    process::{Command, Stdio},
    sync::mpsc::{self, Sender},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, ensure};

use crate::process::shown;

/// How many binaries, and how many tests, are shown.
const SHOWN: usize = 10;

/// Nothing shorter than this is.
const LEAST: Duration = Duration::from_millis(500);

/// Runs cargo's tests, whose output is shown, says what took longest, and fails when they do.
pub fn run(test: &mut Command, threads: usize) -> Result<()> {
    let mut child = test
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {}", shown(test)))?;
    let output = child.stdout.take().context("cargo's output is gone")?;
    let errors = child.stderr.take().context("cargo's messages are gone")?;
    let (sender, lines) = mpsc::channel();
    let copies = [
        thread::spawn({
            let sender = sender.clone();
            move || copy(output, io::stdout(), &sender)
        }),
        thread::spawn(move || copy(errors, io::stderr(), &sender)),
    ];
    let mut log = Log::new(Instant::now());
    for (time, line) in lines {
        log.learn(time, &line);
    }
    for copy in copies {
        copy.join().map_err(|_| anyhow!("cargo's output cannot be followed"))??;
    }
    let status = child.wait()?;
    print!("{}", log.finish(Instant::now(), threads));
    ensure!(status.success(), "{} failed ({status})", shown(test));
    Ok(())
}

/// Copies everything at once, and sends each line with its time to `lines`.
fn copy(mut from: impl Read, mut to: impl Write, lines: &Sender<(Instant, String)>) -> io::Result<()> {
    let mut buffer = [0; 8_192];
    let mut line = Vec::new();
    loop {
        let length = from.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        let time = Instant::now();
        to.write_all(&buffer[..length])?;
        to.flush()?;
        for byte in &buffer[..length] {
            if [b'\n', b'\r'].contains(byte) {
                // Who does not listen any more has failed and says so.
                let _ = lines.send((time, without_colours(&String::from_utf8_lossy(&line))));
                line.clear();
            } else {
                line.push(*byte);
            }
        }
    }
}

/// Without `ESC [ … letter` and `ESC ( B`.
fn without_colours(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line.chars();
    while let Some(character) = rest.next() {
        if character != '\x1b' {
            text.push(character);
        } else if rest.next() == Some('(') {
            rest.next();
        } else {
            rest.find(char::is_ascii_alphabetic);
        }
    }
    text
}

/// What cargo and the tests have said.
struct Log {
    start: Instant,
    binaries: Vec<Binary>,
}

struct Binary {
    name: String,
    start: Instant,
    /// When each test ended.
    ends: Vec<(String, Instant)>,
}

impl Log {
    const fn new(start: Instant) -> Self {
        Self { start, binaries: Vec::new() }
    }

    fn learn(&mut self, time: Instant, line: &str) {
        if let Some(name) = binary(line) {
            self.binaries.push(Binary { name, start: time, ends: Vec::new() });
        } else if let (Some(test), Some(binary)) = (ended(line), self.binaries.last_mut()) {
            binary.ends.push((test, time));
        }
    }

    /// The table.
    fn finish(&self, end: Instant, threads: usize) -> String {
        let Some(first) = self.binaries.first() else { return String::new() };
        let ends = self.binaries.iter().skip(1).map(|next| next.start).chain([end]);
        let binaries = self.binaries.iter().zip(ends).map(|(binary, end)| (end - binary.start, binary.name.clone()));
        let tests = self.binaries.iter().flat_map(|binary| {
            let durations = durations(binary.start, &binary.ends, threads);
            durations.into_iter().map(|(test, duration)| (duration, format!("{}: {test}", binary.name)))
        });
        let mut text = format!(
            "\ntest: built in {:.1} s; what took longest, in seconds:\n",
            (first.start - self.start).as_secs_f64()
        );
        add_longest(&mut text, binaries.collect());
        text.push_str("single tests, others at the same time:\n");
        add_longest(&mut text, tests.collect());
        text
    }
}

fn add_longest(text: &mut String, mut rows: Vec<(Duration, String)>) {
    rows.sort_by(|one, other| other.cmp(one));
    for (duration, name) in rows.iter().filter(|(duration, _)| *duration >= LEAST).take(SHOWN) {
        let _ = writeln!(text, "{:>8.1}  {name}", duration.as_secs_f64());
    }
}

/// `Running tests/cli/main.rs (target/debug/deps/cli-0123456789abcdef)`, `Doc-tests lb_common`.
fn binary(line: &str) -> Option<String> {
    let line = line.trim();
    if let Some(library) = line.strip_prefix("Doc-tests ") {
        return Some(format!("{library}, documentation"));
    }
    let (source, path) = line.strip_prefix("Running ")?.strip_suffix(')')?.split_once(" (")?;
    let (name, _) = path.rsplit('/').next()?.rsplit_once('-')?;
    Some(if source.starts_with("unittests ") { format!("{name}, unit tests") } else { name.to_owned() })
}

/// `test this_one ... ok`, but not `test this_one has been running for over 60 seconds`.
fn ended(line: &str) -> Option<String> {
    let (name, result) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let is_result = ["ok", "FAILED", "ignored"].iter().any(|word| result.starts_with(word));
    is_result.then(|| name.trim_end_matches(" - should panic").to_owned())
}

/// How long each took.
fn durations(start: Instant, ends: &[(String, Instant)], threads: usize) -> Vec<(String, Duration)> {
    let mut names: Vec<_> = ends.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    // The first tests start at once, the others when one ends.
    let starts = (0..threads).map(|_| start).chain(ends.iter().map(|(_, end)| *end));
    let starts: BTreeMap<_, _> = names.into_iter().zip(starts).collect();
    let of = |(name, end): &(String, Instant)| {
        let start = starts.get(name.as_str()).copied().unwrap_or(*end);
        (name.clone(), end.saturating_duration_since(start))
    };
    ends.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_cargo_and_tests() {
        assert_eq!(binary("     Running tests/cli/main.rs (target/debug/deps/cli-01ab)").unwrap(), "cli");
        assert_eq!(
            binary("     Running unittests src/lib.rs (/t/debug/deps/lb_common-01ab)").unwrap(),
            "lb_common, unit tests"
        );
        assert_eq!(binary("   Doc-tests lb_common").unwrap(), "lb_common, documentation");
        assert_eq!(binary("   Compiling syn v3.0.10"), None);
        assert_eq!(ended("test a::b ... ok").unwrap(), "a::b");
        assert_eq!(ended("test a - should panic ... FAILED").unwrap(), "a");
        assert_eq!(ended("test a::b has been running for over 60 seconds"), None);
        assert_eq!(ended("test result: ok. 3 passed"), None);
        assert_eq!(without_colours("\x1b[1m\x1b[92m  Running\x1b[0m a \x1b[32mok\x1b(B\x1b[m"), "  Running a ok");
    }

    #[test]
    fn a_test_starts_when_another_ends() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        // Two threads: a and b at once, c when a ends, d when b does.
        let ends = [("a", 1), ("b", 4), ("c", 6), ("d", 7)].map(|(name, end)| (name.to_owned(), at(end)));
        let seconds: Vec<_> = durations(start, &ends, 2).iter().map(|(_, duration)| duration.as_secs()).collect();
        assert_eq!(seconds, [1, 4, 5, 3]);
    }

    #[test]
    fn the_longest_come_first() {
        let start = Instant::now();
        let mut log = Log::new(start);
        for (seconds, line) in [
            (5, "     Running unittests src/lib.rs (target/debug/deps/one-01ab)"),
            (6, "test quick ... ok"),
            (7, "     Running tests/two.rs (target/debug/deps/two-01ab)"),
            (9, "test a ... ok"),
            (18, "test b ... ok"),
        ] {
            log.learn(start + Duration::from_secs(seconds), line);
        }
        assert_eq!(
            log.finish(start + Duration::from_secs(18), 1),
            "\ntest: built in 5.0 s; what took longest, in seconds:\n    11.0  two\n     2.0  one, unit tests\n\
             single tests, others at the same time:\n     9.0  two: b\n     2.0  two: a\n     1.0  one, unit tests: quick\n"
        );
    }
}
