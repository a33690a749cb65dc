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

/// The errors of downloads that break while configurations follow each other, servers first. `what` is what a service
/// has besides its servers, by the number of the server whose file it is.
pub fn broken(site: &Site, keep: Option<&str>, what: impl Fn(usize) -> String) -> Vec<String> {
    let first = Lists::of(0..3);
    site.attach_each(|number| first.configuration(&what(number)), keep);
    let start = || SERVICES.map(|service| Downloads::start(&site.client, &Site::clients(service), service, EACH));
    let mut downloads: Vec<_> = start().into();
    let [a, b, c, d] = [0, 1, 2, 3].map(Entry::up);
    let second = first.then(vec![a, b, c, d]);
    let third = second.then(vec![a, Entry { down: true, ..b }, c, d]);
    let fourth = third.then(vec![a, c, Entry { weight: 2, ..d }]);
    let fifth = fourth.then(vec![d, a, c, b]);
    for lists in [second, third, fourth, fifth] {
        let configuration = |number| lists.configuration(&what(number));
        if keep.is_some() {
            site.keepers.iter().enumerate().for_each(|(number, keeper)| drop(keeper.apply(&configuration(number))));
        }
        site.balancers.iter().for_each(|balancer| drop(balancer.apply(&configuration(0))));
        go_on(&downloads);
        downloads.extend(start());
    }
    downloads.iter_mut().flat_map(|downloads| downloads.finish().broken).collect()
}

fn plain(_: usize) -> String {
    WEB.to_owned()
}

#[test]
fn no_download_breaks() {
    need_root!();
    let site = Site::new(1, 4);
    let broken = broken(&site, Some(""), plain);
    assert!(broken.is_empty(), "{broken:?}");
    assert!(site.outcome("handed_on") > 0, "nothing was handed on");
    assert_eq!(site.outcome("taken_last"), 0);
}

#[test]
fn no_download_breaks_by_clsact() {
    need_root!();
    let site = Site::new(1, 4);
    let broken = broken(&site, Some("--clsact"), plain);
    assert!(broken.is_empty(), "{broken:?}");
    assert!(site.outcome("handed_on") > 0, "nothing was handed on");
}

/// Hosts that are no servers in their own file, as the newer one has not reached them, stand in the ring all the same.
#[test]
fn servers_that_only_some_hosts_know() {
    need_root!();
    let site = Site::new(1, 6);
    let first = Lists::of(0..3);
    site.attach(&first.configuration(WEB), Some(""));
    let mut downloads =
        SERVICES.map(|service| Downloads::start(&site.client, &Site::clients(service), service, 2 * EACH));
    let second = first.then_of(0..4, &[]);
    let third = second.then_of(0..4, &[1]);
    let fourth = third.then_of(0..6, &[1]);
    for lists in [second, third] {
        site.keepers.iter().chain(&site.balancers).for_each(|host| drop(host.apply(&lists.configuration(WEB))));
        go_on(&downloads);
    }
    for host in site.keepers.iter().chain(&site.balancers) {
        host.apply(&fourth.configuration(WEB));
        go_on(&downloads);
    }
    let broken: Vec<_> = downloads.iter_mut().flat_map(|downloads| downloads.finish().broken).collect();
    assert!(broken.is_empty(), "{broken:?}");
}

#[test]
fn without_keep_most_downloads_break() {
    need_root!();
    let site = Site::new(1, 4);
    let broken = broken(&site, None, plain);
    assert!(broken.len() > 20, "{broken:?}");
}
