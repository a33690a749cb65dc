//! Rules for configurations, whether read from a file or changed by a command.

mod check;
mod group;
mod report;
mod service;

use std::collections::HashMap;

use self::report::second_time;
use super::{
    draft::Draft,
    error::ConfigError,
    model::{Config, Group, Role},
};

pub(super) use self::report::label;

impl Config {
    /// Checks a configuration that was built or changed in the program by the rules for files.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Invalid`] with every problem.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let drafts: Vec<_> = self.services.iter().map(Draft::from).collect();
        let problems = problems(self.role, &self.group, &self.interfaces, &drafts);
        if problems.is_empty() { Ok(()) } else { Err(ConfigError::Invalid(problems)) }
    }
}

/// A line for each problem with a configuration.
pub(super) fn problems(role: Role, group: &Group, interfaces: &[String], services: &[Draft]) -> Vec<String> {
    let mut problems = group::problems(role, group, services);
    problems.extend(interface_problems(interfaces));
    problems.extend(service::problems(services));
    problems.extend(check::problems(role, services));
    problems
}

fn interface_problems(interfaces: &[String]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut seen = HashMap::new();
    for name in interfaces {
        if name.is_empty() {
            problems.push("interfaces: a name is empty".to_owned());
        } else if second_time(&mut seen, name) {
            problems.push(format!("interfaces: {name} listed twice"));
        }
    }
    problems
}
