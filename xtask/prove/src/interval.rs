//! Between which numbers a term is, of products as well, which the solver knows nothing of.

use crate::{
    facts::Facts,
    term::{Node, Op, Term, Terms, mask},
};

impl Facts {
    /// The least and the most, as numbers that nothing wraps in; what may wrap may be anything.
    pub fn interval(&self, terms: &Terms, term: Term) -> (u64, u64) {
        let all = (0, mask(terms.width(term)));
        let found = match terms.node(term) {
            Node::Apply(Op::Mul, a, b) => {
                let ((least_a, most_a), (least_b, most_b)) = (self.interval(terms, *a), self.interval(terms, *b));
                most_a.checked_mul(most_b).map(|most| (least_a * least_b, most))
            }
            Node::Sum { parts, constant } => self.interval_of_sum(terms, parts, *constant),
            Node::Concat(parts) => {
                let mut low = 0;
                let places = parts.iter().map(|part| {
                    let place = (*part, 1 << low);
                    low += terms.width(*part);
                    place
                });
                self.interval_of_sum(terms, &places.collect::<Vec<_>>(), 0)
            }
            _ => Some(self.range(terms, term)),
        };
        found.filter(|(_, most)| *most <= all.1).unwrap_or(all)
    }

    fn interval_of_sum(&self, terms: &Terms, parts: &[(Term, u64)], constant: u64) -> Option<(u64, u64)> {
        parts.iter().try_fold((constant, constant), |(least, most), (part, factor)| {
            let (low, high) = self.interval(terms, *part);
            let most = high.checked_mul(*factor).and_then(|high| most.checked_add(high))?;
            Some((least + low * factor, most))
        })
    }
}
