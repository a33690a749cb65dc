//! Whether the kernel sees what a refutation says: the faulty program is loaded, and the unmodified one, and both are
//! run on the example.

use super::program::{Loaded, Refused, is_root};
use crate::{image::Image, world::Numbers};

/// What the kernel says about an example.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Confirmed {
    /// Both programs differ on it.
    Yes,
    /// They do not.
    No,
    /// It does not take the faulty program.
    Refused(String),
    /// It cannot be asked.
    Unasked(String),
}

/// The program that is unmodified.
#[derive(Debug)]
pub struct Judge<'a> {
    pub file: &'a [u8],
    pub image: &'a Image,
    pub program: &'a str,
    /// Whether the general path alone is looked at: both programs are run without their fast paths.
    pub is_general: bool,
}

impl Judge<'_> {
    /// Asks the kernel.
    pub fn ask(&self, changed: &Image, example: &Numbers) -> Confirmed {
        if !is_root() {
            return Confirmed::Unasked("only root can ask the kernel".into());
        }
        let load = |image: &Image| -> anyhow::Result<_> {
            let entry = image.function(self.program)?;
            let cut = if self.is_general { image.without_fast_path(entry)? } else { image.clone() };
            Loaded::new(self.file, &cut, self.program, example)
        };
        let mut faulty = match load(changed) {
            Ok(faulty) => faulty,
            Err(error) => {
                let refused = error.downcast_ref::<Refused>().map(|Refused(why)| Confirmed::Refused(why.clone()));
                return refused.unwrap_or_else(|| Confirmed::Unasked(format!("{error:#}")));
            }
        };
        let seen = load(self.image).and_then(|mut unmodified| Ok((unmodified.run(example)?, faulty.run(example)?)));
        match seen {
            Ok((one, other)) if one == other => Confirmed::No,
            Ok(_) => Confirmed::Yes,
            Err(error) => Confirmed::Unasked(format!("{error:#}")),
        }
    }
}

impl std::fmt::Display for Confirmed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Yes => write!(f, "the kernel confirms it"),
            Self::No => write!(f, "THE KERNEL DOES NOT CONFIRM IT"),
            Self::Refused(why) => write!(f, "the kernel's verifier refuses the program ({why})"),
            Self::Unasked(why) => write!(f, "not confirmed by the kernel: {why}"),
        }
    }
}
