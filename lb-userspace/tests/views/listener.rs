//! `modlb serve` as a process in the gateway's namespace, and what it answers.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::support::{bench::Bench, modlb::Modlb, namespace::Namespace};

/// The process.
pub struct Listener<'a> {
    gateway: &'a Namespace,
    child: Child,
    address: String,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: String,
    pub headers: String,
    pub body: String,
}

impl<'a> Listener<'a> {
    /// Starts it on a free port.
    pub fn new(bench: &'a Bench, options: &str) -> Self {
        Self::of(&bench.modlb, &bench.gateway, options)
    }

    /// The same for an instance in this namespace.
    pub fn of(modlb: &Modlb, gateway: &'a Namespace, options: &str) -> Self {
        let mut command = modlb.command(&format!("serve --listen 127.0.0.1:0 {options}"));
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim_end().rsplit_once("http://").unwrap().1.trim_end_matches("/metrics").to_owned();
        Self { gateway, child, address }
    }

    /// Address and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Asks with curl and these options.
    pub fn ask(&self, options: &str, path: &str) -> Answer {
        let url = format!("http://{}{path}", self.address);
        let text = self.gateway.run("curl", &format!("--silent --show-error --include {options} {url}"));
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let (status, headers) = head.split_once("\r\n").unwrap();
        let status = status.trim_start_matches("HTTP/1.1 ").to_owned();
        Answer { status, headers: headers.to_lowercase(), body: body.to_owned() }
    }

    /// What is there.
    pub fn get(&self, path: &str) -> String {
        let answer = self.ask("", path);
        assert_eq!(answer.status, "200 OK", "{path}: {answer:?}");
        answer.body
    }

    /// Ends it by a signal; it must end well.
    pub fn end(mut self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Listener<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
