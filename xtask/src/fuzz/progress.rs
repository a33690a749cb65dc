//! Condenses a fuzzer's output into a few lines.
//!
//! libFuzzer reports on stderr: `#1048576 pulse cov: 312 ft: 940 corp: 153/9201b … exec/s: 524288 rss: 90Mb`, and at
//! the end `stat::number_of_executed_units: 1048576`. The target's own output is in between.

use std::{
    collections::VecDeque,
    io::{BufRead as _, BufReader, Read},
    time::{Duration, Instant},
};

use anyhow::Result;

/// How often a line is shown.
const EVERY: Duration = Duration::from_secs(20);

/// How many lines are shown of a failed target.
const LAST_WORDS: usize = 200;

/// What is known at the end.
#[derive(Default)]
pub struct Said {
    executions: Option<String>,
    rate: Option<String>,
    first_coverage: Option<String>,
    coverage: Option<String>,
    corpus: Option<String>,
    /// The file with the input that fails.
    pub finding: Option<String>,
    last: VecDeque<String>,
}

/// Follows a fuzzer to its end.
pub fn follow(output: impl Read) -> Result<Said> {
    let mut said = Said::default();
    let mut shown = Instant::now();
    for line in BufReader::new(output).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        said.learn(&line);
        if line.starts_with('#') && shown.elapsed() >= EVERY {
            shown = Instant::now();
            println!("  {line}");
        }
    }
    Ok(said)
}

impl Said {
    fn learn(&mut self, line: &str) {
        let owned = |text: &str| Some(text.trim().to_owned());
        if line.starts_with('#') {
            if let Some(coverage) = word_after(line, " cov: ") {
                self.first_coverage.get_or_insert_with(|| coverage.to_owned());
                self.coverage = owned(coverage);
            }
            if let Some(corpus) = word_after(line, " corp: ") {
                self.corpus = owned(corpus);
            }
            return;
        }
        if let Some(number) = line.strip_prefix("stat::number_of_executed_units:") {
            self.executions = owned(number);
        } else if let Some(rate) = line.strip_prefix("stat::average_exec_per_sec:") {
            self.rate = owned(rate);
        } else if let Some((_, path)) = line.split_once("Test unit written to ") {
            self.finding = owned(path);
        } else if !line.starts_with("stat::") {
            self.last.push_back(line.to_owned());
            if self.last.len() > LAST_WORDS {
                self.last.pop_front();
            }
        }
    }

    /// The lines before the end; of a panic only the message, not libFuzzer's own end.
    pub fn last_words(&self) -> String {
        let panic = self.last.iter().position(|line| line.contains("panicked at"));
        let lines = self.last.iter().skip(panic.unwrap_or_default());
        // What starts like this is libFuzzer's or a sanitizer's: `==4711== ERROR: libFuzzer: deadly signal`.
        lines.take_while(|line| panic.is_none() || !line.starts_with("==")).map(|line| format!("  {line}\n")).collect()
    }

    /// Says how much was tried.
    pub fn print(&self, target: &str) {
        let or = |value: &Option<String>| value.clone().unwrap_or_else(|| "?".to_owned());
        println!(
            "fuzz: {target}: {} executions, {}/s, coverage {} at first and {} in the end, corpus {}, findings {}",
            or(&self.executions),
            or(&self.rate),
            or(&self.first_coverage),
            or(&self.coverage),
            or(&self.corpus),
            u32::from(self.finding.is_some())
        );
    }
}

fn word_after<'a>(line: &'a str, label: &str) -> Option<&'a str> {
    line.split_once(label)?.1.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libfuzzer_says() {
        let output = "INFO: Seed: 1\n\
                      #2\tINITED cov: 12 ft: 13 corp: 1/1b exec/s: 0 rss: 30Mb\n\
                      #1024\tNEW    cov: 312 ft: 940 corp: 153/9201b lim: 4 exec/s: 0 rss: 90Mb L: 3/4 MS: 1 EraseBytes-\n\
                      thread panicked at src/lib.rs: the datapath and the oracle differ\n\
                      ==7== ERROR: libFuzzer: deadly signal\n    #0 0x1 in main\n\
                      artifact_prefix='x/'; Test unit written to x/crash-da39\n\
                      stat::number_of_executed_units: 1024\n\
                      stat::average_exec_per_sec:     512\n";
        let said = follow(output.as_bytes()).unwrap();
        assert_eq!(said.executions.as_deref(), Some("1024"));
        assert_eq!(said.rate.as_deref(), Some("512"));
        assert_eq!(said.first_coverage.as_deref(), Some("12"));
        assert_eq!(said.coverage.as_deref(), Some("312"));
        assert_eq!(said.corpus.as_deref(), Some("153/9201b"));
        assert_eq!(said.finding.as_deref(), Some("x/crash-da39"));
        assert_eq!(said.last_words(), "  thread panicked at src/lib.rs: the datapath and the oracle differ\n");
    }
}
