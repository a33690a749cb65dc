//! Downloads go on through changes of servers.

use crate::{
    WEB, need_root,
    site::{Entry, Lists, Site},
    support::{network::SERVICES, paced::Downloads, wait::wait},
};

/// Downloads from each of the client's addresses.
pub const EACH: usize = 3;

/// Lets every download receive a few more pieces.
pub fn go_on(downloads: &[Downloads]) {
    let pieces = || downloads.iter().map(Downloads::pieces).sum::<u64>();
    let wanted = pieces() + 3 * downloads.iter().map(Downloads::len).sum::<usize>() as u64;
    let running = || downloads.iter().map(Downloads::running).sum::<usize>();
    let all = downloads.iter().map(Downloads::len).sum::<usize>();
    wait(|| pieces() >= wanted || running() < all, || format!("{} of {wanted} pieces, {} run", pieces(), running()));
}

/// How many downloads break while configurations follow each other, servers first.
fn broken(site: &Site, keep: Option<&str>) -> Vec<String> {
    let first = Lists::of(0..3);
    site.attach(&first.configuration(WEB), keep);
    let start = || SERVICES.map(|service| Downloads::start(&site.client, &Site::clients(service), service, EACH));
    let mut downloads: Vec<_> = start().into();
    let [a, b, c, d] = [0, 1, 2, 3].map(Entry::up);
    let second = first.then(vec![a, b, c, d]);
    let third = second.then(vec![a, Entry { down: true, ..b }, c, d]);
    let fourth = third.then(vec![a, c, Entry { weight: 2, ..d }]);
    let fifth = fourth.then(vec![d, a, c, b]);
    for lists in [second, third, fourth, fifth] {
        let configuration = lists.configuration(WEB);
        if keep.is_some() {
            site.keepers.iter().for_each(|keeper| drop(keeper.apply(&configuration)));
        }
        site.balancers.iter().for_each(|balancer| drop(balancer.apply(&configuration)));
        go_on(&downloads);
        downloads.extend(start());
    }
    downloads.iter_mut().flat_map(|downloads| downloads.finish().broken).collect()
}

#[test]
fn no_download_breaks() {
    need_root!();
    let site = Site::new(1, 4);
    let broken = broken(&site, Some(""));
    assert!(broken.is_empty(), "{broken:?}");
    assert!(site.outcome("handed_on") > 0, "nothing was handed on");
    assert_eq!(site.outcome("taken_last"), 0);
}

#[test]
fn no_download_breaks_by_clsact() {
    need_root!();
    let site = Site::new(1, 4);
    let broken = broken(&site, Some("--clsact"));
    assert!(broken.is_empty(), "{broken:?}");
    assert!(site.outcome("handed_on") > 0, "nothing was handed on");
}

#[test]
fn without_keep_most_downloads_break() {
    need_root!();
    let site = Site::new(1, 4);
    let broken = broken(&site, None);
    assert!(broken.len() > 20, "{broken:?}");
}
