use std::time::Duration;

use super::*;

fn services(schedule: &mut Schedule, now: Instant) -> Vec<(String, u64)> {
    std::iter::from_fn(|| schedule.start(now)).map(|start| (start.service.to_string(), start.id)).collect()
}

#[test]
fn nothing_starts_before_it_is_due() {
    let now = Instant::now();
    let mut schedule = Schedule::new(8);
    let later = now + Duration::from_secs(1);
    schedule.add(1, "a".into(), later);
    schedule.add(2, "a".into(), now);
    assert_eq!(schedule.start(now), Some(Start { id: 2, service: "a".into(), due: now }));
    assert_eq!((schedule.start(now), schedule.next_due()), (None, Some(later)));
    schedule.retain(|id| id != 1);
    assert_eq!((schedule.start(later), schedule.next_due()), (None, None));
}

#[test]
fn services_take_turns() {
    let now = Instant::now();
    let mut schedule = Schedule::new(100);
    for (id, service) in [(1, "a"), (2, "a"), (3, "a"), (4, "b"), (5, "c")] {
        schedule.add(id, service.into(), now);
    }
    let order: Vec<_> = services(&mut schedule, now).into_iter().map(|(service, _)| service).collect();
    assert_eq!(order, ["a", "b", "c", "a", "a"]);
}

/// A service with a thousand silent servers takes half of the places, and another one starts at once.
#[test]
fn a_service_leaves_room_for_others() {
    let now = Instant::now();
    let mut schedule = Schedule::new(256);
    for id in 0..1_000 {
        schedule.add(id, "dead".into(), now);
    }
    assert_eq!(services(&mut schedule, now).len(), 128);
    for id in 1_000..1_010 {
        schedule.add(id, "live".into(), now);
    }
    assert_eq!(services(&mut schedule, now).len(), 10);
    // A place that becomes free is given to those that may have one.
    schedule.ended(&"live".into());
    assert_eq!(services(&mut schedule, now).len(), 0);
    for _ in 0..9 {
        schedule.ended(&"live".into());
    }
    schedule.ended(&"dead".into());
    assert_eq!(services(&mut schedule, now).len(), 1);
}

#[test]
fn however_many_services_ask_no_more_start_than_there_are_places() {
    let now = Instant::now();
    let mut schedule = Schedule::new(64);
    for id in 0..10_000 {
        schedule.add(id, format!("s{}", id % 500).into(), now);
    }
    let started = services(&mut schedule, now);
    assert_eq!(started.len(), 64);
    let different: std::collections::HashSet<_> = started.into_iter().map(|(service, _)| service).collect();
    assert_eq!(different.len(), 64);
    // Each that ends makes room for one of another service.
    schedule.ended(&different.into_iter().next().unwrap().as_str().into());
    assert_eq!(services(&mut schedule, now).len(), 1);
}
