//! `doctor`: findings.

use std::fmt::Write as _;

use serde::Serialize;

use super::render::Render;
use crate::doctor::finding::{Finding, Level};

/// The findings.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct DoctorView {
    /// In the order of the checks.
    pub findings: Vec<Finding>,
    /// Print each check without a finding on its own line.
    #[serde(skip)]
    pub all: bool,
}

/// The indentation of meanings and cures.
const INDENT: &str = "         ";

impl DoctorView {
    fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level == level).count()
    }

    /// A line for each check, with all subjects at level `ok`.
    fn fold(&self) -> Vec<String> {
        let mut lines: Vec<(&str, Vec<&str>)> = Vec::new();
        for finding in self.findings.iter().filter(|finding| finding.level == Level::Ok) {
            match lines.iter_mut().find(|(check, _)| *check == finding.check) {
                Some((_, subjects)) => subjects.push(&finding.subject),
                None => lines.push((finding.check, vec![&finding.subject])),
            }
        }
        let line = |(check, subjects): (&str, Vec<&str>)| {
            let only = self.findings.iter().find(|finding| finding.check == check).filter(|_| subjects.len() == 1);
            match only {
                Some(finding) => line(finding),
                None => format!("{:<9}{check:<14}{}", Level::Ok.name(), subjects.join(", ")),
            }
        };
        lines.into_iter().map(line).collect()
    }
}

fn line(finding: &Finding) -> String {
    let subject = if finding.subject == "host" { String::new() } else { format!("{}: ", finding.subject) };
    format!("{:<9}{:<14}{subject}{}", finding.level.name(), finding.check, finding.seen)
}

impl Render for DoctorView {
    fn render(&self) -> String {
        let mut text = String::new();
        let ok = if self.all {
            self.findings.iter().filter(|finding| finding.level == Level::Ok).map(line).collect()
        } else {
            self.fold()
        };
        for line in ok {
            let _ = writeln!(text, "{line}");
        }
        for level in [Level::Warning, Level::Failure] {
            for finding in self.findings.iter().filter(|finding| finding.level == level) {
                let _ = writeln!(text, "{}\n{INDENT}{}", line(finding), finding.meaning);
                if let Some(cure) = &finding.cure {
                    let how = if finding.command.is_some() { "run" } else { "cure" };
                    let _ = writeln!(text, "{INDENT}{how}: {cure}");
                }
            }
        }
        let (failures, warnings) = (self.count(Level::Failure), self.count(Level::Warning));
        let _ = write!(text, "\n{} checks: {failures} failed, {warnings} warned", self.findings.len());
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(all: bool) -> DoctorView {
        let findings = vec![
            Finding::ok("bpffs", "host", "mounted"),
            Finding::ok("server", "10.0.0.11", "answers"),
            Finding::bad(Level::Failure, "link", "eth0", "down", "nothing arrives").run("ip link set dev eth0 up"),
            Finding::ok("server", "10.0.0.12", "answers"),
            Finding::bad(Level::Warning, "mode", "eth0", "generic", "slower").cure("another card"),
        ];
        DoctorView { findings, all }
    }

    #[test]
    fn findings_are_folded_unless_all_are_asked_for() {
        let bad = "\
warning  mode          eth0: generic
         slower
         cure: another card
failure  link          eth0: down
         nothing arrives
         run: ip link set dev eth0 up

5 checks: 1 failed, 1 warned";
        let folded = "ok       bpffs         mounted\nok       server        10.0.0.11, 10.0.0.12\n";
        assert_eq!(view(false).render(), format!("{folded}{bad}"));
        let each = "ok       bpffs         mounted\nok       server        10.0.0.11: answers\nok       server        10.0.0.12: answers\n";
        assert_eq!(view(true).render(), format!("{each}{bad}"));
    }

    #[test]
    fn the_json_keeps_its_shape() {
        let json = serde_json::to_value(view(false)).unwrap();
        let expected = r#"{"check":"link","subject":"eth0","level":"failure","seen":"down","meaning":"nothing arrives","cure":"ip link set dev eth0 up","command":"ip link set dev eth0 up"}"#;
        assert_eq!(json[2], serde_json::from_str::<serde_json::Value>(expected).unwrap());
        assert_eq!((&json[0]["cure"], &json[4]["command"]), (&serde_json::Value::Null, &serde_json::Value::Null));
    }
}
