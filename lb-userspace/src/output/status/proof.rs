//! What is proven of the datapath in this program.

use serde::Serialize;

/// The datapath in this program, and whether it is one that was proven (docs/PROOF.md).
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct ProofView {
    /// The digest of the balancer's instructions; empty: the program was built without them.
    pub digest: String,
    /// Whether `cargo xtask prove` has noted it.
    pub proven: bool,
}

impl ProofView {
    /// That of this program.
    pub fn of_this_program() -> Self {
        let proven = env!("MODLB_DATAPATH_PROVEN") == "true";
        Self { digest: env!("MODLB_DATAPATH_DIGEST").to_owned(), proven }
    }

    /// A line, if there is something to say.
    pub(super) fn render(&self) -> String {
        if self.proven { format!("datapath proven (docs/PROOF.md), digest {}\n\n", self.digest) } else { String::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The file of proven digests as it was when this was built.
    const NOTED: &str = include_str!("../../../../lb-ebpf/PROVEN");

    #[test]
    fn a_datapath_is_proven_if_its_digest_is_noted() {
        let ProofView { digest, proven } = ProofView::of_this_program();
        assert_eq!(proven, NOTED.lines().any(|line| line.split_whitespace().next() == Some(digest.as_str())));
    }

    #[test]
    fn nothing_is_said_of_a_datapath_that_is_not_proven() {
        let proof = ProofView { digest: "0a".into(), proven: true };
        assert_eq!(proof.render(), "datapath proven (docs/PROOF.md), digest 0a\n\n");
        assert_eq!(ProofView { proven: false, ..proof }.render(), "");
    }
}
