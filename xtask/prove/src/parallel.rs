//! Several jobs at a time, with what they say in their order.

use std::{
    collections::BTreeMap,
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use anyhow::{Context as _, Result};

/// Does every job on as many threads as there are CPUs. What came of each is handed on in the order of the jobs, as
/// soon as those before it are done.
///
/// # Errors
///
/// The first one of a job, or of what it is handed on to. Jobs that have begun by then are finished.
pub fn in_order<J: Sync, T: Send>(
    jobs: &[J],
    work: impl Fn(&J) -> Result<T> + Sync,
    mut done: impl FnMut(&J, T) -> Result<()>,
) -> Result<()> {
    let threads = thread::available_parallelism()?.get().min(jobs.len());
    let next = AtomicUsize::new(0);
    let (sender, results) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..threads {
            let (sender, next, work) = (sender.clone(), &next, &work);
            scope.spawn(move || {
                while let Some((turn, job)) = take(jobs, next) {
                    // Nobody listens any more after an error.
                    if sender.send((turn, work(job))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let mut early = BTreeMap::new();
        for (turn, job) in jobs.iter().enumerate() {
            while !early.contains_key(&turn) {
                let (other, result) = results.recv().context("a thread has ended early")?;
                early.insert(other, result);
            }
            let result = early.remove(&turn).context("a result is missing")?;
            let handed = result.and_then(|result| done(job, result));
            if handed.is_err() {
                next.store(jobs.len(), Ordering::Relaxed);
                return handed;
            }
        }
        Ok(())
    })
}

fn take<'a, J>(jobs: &'a [J], next: &AtomicUsize) -> Option<(usize, &'a J)> {
    let turn = next.fetch_add(1, Ordering::Relaxed);
    jobs.get(turn).map(|job| (turn, job))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use anyhow::bail;

    use super::*;

    #[test]
    fn results_come_in_the_order_of_jobs() {
        let jobs: Vec<u64> = (0..20).collect();
        let mut found = Vec::new();
        let work = |job: &u64| {
            thread::sleep(Duration::from_millis(20 - job));
            Ok(job * 2)
        };
        in_order(&jobs, work, |job, twice| {
            found.push((*job, twice));
            Ok(())
        })
        .unwrap();
        assert_eq!(found, jobs.iter().map(|job| (*job, job * 2)).collect::<Vec<_>>());
    }

    #[test]
    fn an_error_ends_it() {
        let jobs = [1, 2, 3, 4];
        let mut seen = Vec::new();
        let work = |job: &u64| if *job == 3 { bail!("three") } else { Ok(()) };
        let error = in_order(&jobs, work, |job, ()| {
            seen.push(*job);
            Ok(())
        });
        assert_eq!(error.unwrap_err().to_string(), "three");
        assert_eq!(seen, [1, 2]);
    }
}
