//! Which part of a configuration something is about.

use std::borrow::Cow;

/// Keys and positions, from the outside in.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Path(Vec<Step>);

/// A step inwards.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// A key of a table.
    Key(Cow<'static, str>),
    /// A position in a list.
    Item(usize),
}

impl Path {
    /// A service.
    pub fn service(index: usize) -> Self {
        Self::default().key("service").item(index)
    }

    /// A key of this table.
    pub fn key(&self, key: impl Into<Cow<'static, str>>) -> Self {
        self.step(Step::Key(key.into()))
    }

    /// An item of this list.
    pub fn item(&self, index: usize) -> Self {
        self.step(Step::Item(index))
    }

    /// A server of this service.
    pub fn server(&self, index: usize) -> Self {
        self.key("server").item(index)
    }

    /// The steps.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The table or list around it.
    pub fn parent(&self) -> Option<Self> {
        let (_, outer) = self.0.split_last()?;
        Some(Self(outer.to_vec()))
    }

    /// The key that it ends with, if it does.
    pub fn last_key(&self) -> Option<&str> {
        match self.0.last()? {
            Step::Key(key) => Some(key),
            Step::Item(_) => None,
        }
    }

    fn step(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }
}
