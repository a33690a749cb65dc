//! The listener with TLS, with a token, and at a Unix socket.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    need_root, services,
    support::{bench::Bench, wait::wait},
};

/// `modlb serve`; killed on drop.
struct Serving<'a> {
    bench: &'a Bench,
    child: Child,
    url: String,
}

impl<'a> Serving<'a> {
    fn new(bench: &'a Bench, options: &str) -> Self {
        let mut child = bench.modlb.command(&format!("serve {options}")).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let words: Vec<_> = line.split_whitespace().filter(|_| !line.contains("unix:")).collect();
        let url = words.iter().find(|word| word.contains("://")).map(|url| url.trim_end_matches(['/', ',']).to_owned());
        Self { bench, child, url: url.unwrap_or_default() }
    }

    /// The status and the text that curl gets.
    fn curl(&self, options: &str, path: &str) -> (String, String) {
        let url = if self.url.is_empty() { "http://localhost" } else { &self.url };
        let mut command = self.bench.gateway.command("curl");
        command.args(["--silent", "--insecure", "--max-time", "50", "--write-out", "\n%{http_code}"]);
        let output = command.args(options.split_whitespace()).arg(format!("{url}{path}")).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (text, status) = text.rsplit_once('\n').unwrap();
        (status.to_owned(), text.to_owned())
    }

    fn ok(&self, options: &str) {
        for path in ["/metrics", "/", "/status.json"] {
            let (status, text) = self.curl(options, path);
            assert_eq!(status, "200", "{path} {text}");
        }
    }

    fn end(mut self) {
        kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A key and a self-signed certificate of this name.
fn certificate(bench: &Bench, directory: &Path, name: &str) -> String {
    let (key, certificate) = (directory.join("key"), directory.join("certificate"));
    let (key, certificate) = (key.display(), certificate.display());
    bench.gateway.run(
        "openssl",
        &format!("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {key} -out {certificate} -subj /CN={name}"),
    );
    format!("--tls-cert {certificate} --tls-key {key}")
}

#[test]
fn https_with_a_certificate_that_is_replaced() {
    need_root!();
    let bench = Bench::new(&services());
    let directory = tempfile::tempdir().unwrap();
    for listen in ["127.0.0.1:0", "[::1]:0"] {
        let options = certificate(&bench, directory.path(), "first.example.org");
        let serving = Serving::new(&bench, &format!("--listen {listen} {options}"));
        assert!(serving.url.starts_with("https://"), "{}", serving.url);
        serving.ok("");
        let plain = serving.curl("", "/metrics");
        assert!(plain.1.contains("modlb_up 1.0"), "{plain:?}");
        let name = || {
            let mut command = bench.gateway.command("curl");
            let output =
                command.args(["--silent", "--insecure", "--verbose", "-o", "/dev/null", &serving.url]).output();
            String::from_utf8(output.unwrap().stderr).unwrap()
        };
        assert!(name().contains("first.example.org"), "{}", name());
        // A file that is bad changes nothing; the next good pair is taken.
        fs::write(directory.path().join("certificate"), "bad").unwrap();
        serving.ok("");
        certificate(&bench, directory.path(), "second.example.org");
        wait(|| name().contains("second.example.org"), name);
        serving.ok("");
        // Plain HTTP is no answer.
        let (status, _) =
            Serving { bench: &bench, child: dummy(), url: serving.url.replace("https", "http") }.curl("", "/metrics");
        assert_eq!(status, "000");
        serving.end();
    }
}

/// A process that ends by itself.
fn dummy() -> Child {
    std::process::Command::new("true").spawn().unwrap()
}

#[test]
fn only_requests_with_the_token_are_answered() {
    need_root!();
    let bench = Bench::new(&services());
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    fs::write(&file, "0123456789abcdef0123\n").unwrap();
    let serving = Serving::new(&bench, &format!("--listen 127.0.0.1:0 --token-file {}", file.display()));
    for path in ["/", "/metrics", "/status.json", "/nothing"] {
        for options in ["", "--user admin:wrong", "--oauth2-bearer 0123456789abcdef012"] {
            let (status, text) = serving.curl(options, path);
            assert_eq!(status, "401", "{path} {options}");
            assert!(!text.contains("modlb_up") && text.contains("token"), "{text}");
        }
    }
    // A browser asks for a name and a password.
    let (_, head) = serving.curl("--head", "/");
    assert!(head.to_lowercase().contains("www-authenticate: basic realm="), "{head}");
    serving.ok("--oauth2-bearer 0123456789abcdef0123");
    serving.ok("--user anyone:0123456789abcdef0123");
    fs::write(&file, "another-token-of-mine").unwrap();
    wait(|| serving.curl("--oauth2-bearer another-token-of-mine", "/metrics").0 == "200", || "old token".to_owned());
    assert_eq!(serving.curl("--oauth2-bearer 0123456789abcdef0123", "/metrics").0, "401");
    serving.end();
}

#[test]
fn a_unix_socket_is_for_root_and_leaves_nothing() {
    need_root!();
    let bench = Bench::new(&services());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("modlb.sock");
    let option = format!("--listen unix:{}", path.display());
    let with = format!("--unix-socket {}", path.display());
    let mut serving = Serving::new(&bench, &option);
    serving.ok(&with);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let error = bench.modlb.fails(&format!("serve {option}"));
    assert!(error.contains("another process listens there"), "{error}");
    // One that was killed leaves its socket, and the next takes its place.
    serving.child.kill().unwrap();
    serving.child.wait().unwrap();
    assert!(path.exists());
    let serving = Serving::new(&bench, &option);
    serving.ok(&with);
    serving.end();
    assert!(!path.exists());
    fs::write(&path, "precious").unwrap();
    let error = bench.modlb.fails(&format!("serve {option}"));
    assert!(error.contains("a file that is no socket is there"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[test]
fn options_that_do_not_fit_are_refused_before_anything_starts() {
    need_root!();
    let bench = Bench::new(&services());
    let directory = tempfile::tempdir().unwrap();
    let both = certificate(&bench, directory.path(), "a.example.org");
    let token = directory.path().join("token");
    fs::write(&token, "short").unwrap();
    let empty = directory.path().join("empty");
    fs::write(&empty, "").unwrap();
    let (directory, key, token) = (directory.path().display(), directory.path().join("key"), token.display());
    let (key, empty) = (key.display(), empty.display());
    for command in ["serve --listen 127.0.0.1:0", "agent --config /nonexistent --listen 127.0.0.1:0"] {
        for (options, what) in [
            (format!("--tls-cert {directory}/none --tls-key {key}"), "none"),
            (format!("--tls-cert {empty} --tls-key {key}"), "has no certificate"),
            (format!("--tls-cert {key} --tls-key {key}"), "has no certificate"),
            (format!("--tls-cert {directory}/certificate --tls-key {empty}"), "--tls-key"),
            (format!("--token-file {token}"), "must hold one token"),
            (format!("--token-file {directory}/none"), "reading --token-file"),
        ] {
            let error = bench.modlb.fails(&format!("{command} {options}"));
            assert!(error.contains(what), "{command} {options}: {error}");
        }
        let output = bench.modlb.output(&format!("{command} --tls-key {key}"));
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("--tls-cert <FILE>"), "{output:?}");
    }
    let error = bench.modlb.fails(&format!("serve --listen unix:{directory}/s {both}"));
    assert!(error.contains("means nothing with --listen unix:"), "{error}");
    let error = bench.modlb.fails(&format!("agent --config /nonexistent --listen none {both}"));
    assert!(error.contains("mean nothing with --listen none"), "{error}");
}
