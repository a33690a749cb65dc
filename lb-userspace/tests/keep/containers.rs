//! Servers whose sockets are in another network namespace than the interface.

use std::{
    fs,
    io::{self, Read as _},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::{
    WEB,
    changes::broken,
    doctor::{complaints, of},
    need_root,
    site::{CLIENTS, Lists, Site},
    support::{
        modlb::Modlb,
        namespace::{Namespace, run},
        network::SERVICES,
        paced::{Downloads, Server},
        wait::{PATIENCE, wait},
    },
};

/// A service whose sockets are in the container of this server.
fn in_container(site: &Site, number: usize) -> String {
    format!("{WEB}\nsockets = \"{}\"", site.containers[number].name())
}

/// A site whose instances have this configuration.
fn attached(servers: u8) -> (Site, Lists) {
    let (site, lists) = (Site::contained(1, servers), Lists::of(0..servers));
    site.attach_each(|number| lists.configuration(&in_container(&site, number)), Some(""));
    (site, lists)
}

/// The id of a container, as an instance has it; `Null`: it was not found.
fn id(modlb: &Modlb) -> Value {
    let status = modlb.json("status");
    let ids: Vec<_> = status["services"].as_array().unwrap().iter().map(|it| it["sockets"]["id"].clone()).collect();
    assert!(ids.len() == 2 && ids[0] == ids[1], "{status}");
    ids[0].clone()
}

fn problems(modlb: &Modlb) -> Vec<String> {
    let problems = modlb.json("status")["problems"].as_array().unwrap().clone();
    problems.iter().map(|problem| problem.as_str().unwrap().to_owned()).collect()
}

/// Removes a container and makes another one of the same name, for which its host has another id: meanwhile, another
/// namespace gets the former one, and is returned.
fn replace(site: &mut Site, number: usize) -> Namespace {
    drop(site.servers.remove(number));
    let (host, before) = (&site.hosts[number], id(&site.keepers[number]));
    let other = Namespace::new("other");
    let ids = || host.run("ip", "netns list-id");
    site.containers[number].make_again();
    let mine = format!("nsid {before}");
    // The kernel removes a namespace some time later.
    let is_known = || ids().lines().any(|line| line.trim_end() == mine || line.starts_with(&format!("{mine} ")));
    wait(|| !is_known(), ids);
    run(Command::new("ip").args(["-netns", host.name(), "netns", "set", other.name(), &before.to_string()]));
    site.connect_container(number);
    let server = Server::start(&site.containers[number], number as u8);
    site.servers.insert(number, server);
    other
}

/// Downloads of both services from this server's container, which go on although the balancer sends them elsewhere.
fn check_that_connections_are_found(site: &Site, lists: &Lists) {
    let start = |service| Downloads::start(&site.client, &Site::clients(service), service, 1);
    let mut downloads: Vec<_> = SERVICES.map(start).into();
    let next = lists.then_of([1], &[]);
    site.balancers.iter().for_each(|balancer| drop(balancer.apply(&next.configuration(WEB))));
    let pieces = || downloads.iter().map(Downloads::pieces).sum::<u64>();
    let enough = pieces() + 5 * 2 * u64::from(CLIENTS);
    let all = || downloads.iter().all(|downloads| downloads.running() == downloads.len());
    wait(|| pieces() >= enough || !all(), || format!("{} of {enough} pieces", pieces()));
    let ended: Vec<_> = downloads.iter_mut().map(Downloads::finish).collect();
    assert!(ended.iter().all(|ended| ended.broken.is_empty()), "{ended:?}");
    assert!(ended.iter().all(|ended| ended.servers.first().is_some_and(|served| *served > 0)), "{ended:?}");
}

/// A process in a network namespace, killed on drop.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn no_download_from_a_container_breaks() {
    need_root!();
    let site = Site::contained(1, 4);
    let broken = broken(&site, Some(""), |number| in_container(&site, number));
    assert!(broken.is_empty(), "{broken:?}");
    assert!(site.outcome("handed_on") > 0, "nothing was handed on");
    assert_eq!(site.outcome("taken_last"), 0);
}

#[test]
fn connections_break_where_the_container_is_not_named() {
    need_root!();
    let site = Site::contained(1, 4);
    site.attach(&Lists::of(0..4).configuration(WEB), Some(""));
    let first_byte = |service| -> io::Result<()> {
        let mut stream = TcpStream::connect(SocketAddr::new(service, 80))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.read_exact(&mut [0])
    };
    let broken = site.client.within(|| {
        let connections = (0..60).flat_map(|_| SERVICES).map(first_byte);
        connections.filter(|result| result.is_err()).count()
    });
    assert!(broken > 20, "{broken} of 120");
}

#[test]
fn a_container_that_is_made_again_is_found() {
    need_root!();
    let (mut site, lists) = attached(2);
    let before = id(&site.keepers[0]);
    assert!(before.is_u64() && problems(&site.keepers[0]).is_empty());
    let _other = replace(&mut site, 0);
    let (keeper, name) = (&site.keepers[0], site.containers[0].name().to_owned());
    let seen = problems(keeper);
    assert!(seen.len() == 2 && seen[0].contains(&name) && seen[0].contains("another one than before"), "{seen:?}");
    let doctor = complaints(keeper);
    assert!(doctor.iter().any(|found| found[2].contains("another one than before")), "{doctor:?}");

    keeper.apply(&lists.configuration(&in_container(&site, 0)));
    assert!(problems(keeper).is_empty() && id(keeper).is_u64() && id(keeper) != before);
    check_that_connections_are_found(&site, &lists);
}

#[test]
fn the_agent_finds_a_container_that_is_made_again() {
    need_root!();
    let (mut site, lists) = attached(2);
    let file = site.keepers[0].file("agent.toml", &lists.configuration(&in_container(&site, 0)));
    let mut command = site.keepers[0].command("agent --listen none --config");
    let agent = Process(command.arg(file).stderr(Stdio::null()).spawn().unwrap());
    let before = id(&site.keepers[0]);
    let _other = replace(&mut site, 0);
    let keeper = &site.keepers[0];
    wait(|| id(keeper).is_u64() && id(keeper) != before, || format!("{before}: {:?}", problems(keeper)));
    check_that_connections_are_found(&site, &lists);

    // A container that is gone is a problem, and no reason to stop.
    drop(site.servers.remove(0));
    let name = site.containers.remove(0);
    let is_gone = || problems(&site.keepers[0]).iter().any(|problem| problem.contains("there is no network namespace"));
    drop(name);
    wait(|| is_gone() && id(&site.keepers[0]).is_null(), || format!("{:?}", problems(&site.keepers[0])));
    drop(agent);
}

/// A namespace lives on while something is in it, and so do its connections.
#[test]
fn a_container_outlives_its_name() {
    need_root!();
    let (site, lists) = attached(2);
    let before = id(&site.keepers[0]);
    let container = &site.containers[0];
    let aside = format!("{}-aside", container.name());
    let names = ["/run/netns/".to_owned() + container.name(), "/run/netns/".to_owned() + &aside];
    fs::write(&names[1], "").unwrap();
    run(Command::new("mount").args(["--bind", &names[0], &names[1]]));
    run(Command::new("umount").arg(&names[0]));
    fs::remove_file(&names[0]).unwrap();

    let server = site.keepers[0].ok("server down web4 10.0.0.12");
    let (now, seen) = (id(&site.keepers[0]), problems(&site.keepers[0]));
    check_that_connections_are_found(&site, &lists);
    // As it was, so that it is removed.
    fs::write(&names[0], "").unwrap();
    run(Command::new("mount").args(["--bind", &names[1], &names[0]]));
    run(Command::new("umount").arg(&names[1]));
    fs::remove_file(&names[1]).unwrap();
    assert_eq!(now, before, "{server}");
    assert!(seen.len() == 2 && seen[0].contains("there is no network namespace"), "{seen:?}");
}

#[test]
fn a_container_that_is_not_there_is_refused() {
    need_root!();
    let site = Site::contained(1, 1);
    let keeper = &site.keepers[0];
    let with = |netns: &str| Lists::of(0..1).configuration(&format!("{WEB}\nsockets = \"{netns}\""));
    let refused = |command: &str, netns: &str| {
        let file = keeper.file("refused.toml", &with(netns));
        keeper.fails(&format!("{command} {}", file.display()))
    };
    let attach = "attach eth0 --role keep --config";
    for command in [attach, "apply"] {
        let error = refused(command, "no-such-container");
        assert!(error.contains("service web4: sockets:") && error.contains("\"no-such-container\""), "{error}");
        assert!(error.contains("`ip netns list`") && error.contains("`--force`"), "{error}");
        let error = refused(command, "/dev/null");
        assert!(error.contains("/dev/null: it is not a network namespace"), "{error}");
        let error = refused(command, "pid:999999999");
        assert!(error.contains("there is no process 999999999"), "{error}");
        let error = refused(command, "pid:x");
        assert!(error.contains("\"x\" after \"pid:\" is not the number of a process"), "{error}");
        assert_eq!(keeper.pins().exists(), command == "apply");
        // Refused, it changes nothing.
        if command == "apply" {
            assert!(id(keeper).is_u64() && keeper.ok("export").contains(site.containers[0].name()));
            break;
        }
        keeper.attach("eth0 --role keep", &with(site.containers[0].name()));
    }
    keeper.ok(&format!("apply --force {}", keeper.file("forced.toml", &with("no-such-container")).display()));
    assert!(id(keeper).is_null());
    let error = keeper.fails("connections");
    assert!(error.contains("service web4: sockets: there is no network namespace \"no-such-container\""), "{error}");
    // It is of this host alone: a balancer does not look for it, nor does a server of other services.
    site.balancers[0].attach("eth0 --mode generic", &with("no-such-container"));
    keeper.ok("detach");
    let elsewhere = with("no-such-container").replace("10.0.0.11", "10.0.0.99").replace("fd00::b", "fd00::99");
    keeper.attach("eth0 --role keep", &elsewhere);
}

#[test]
fn connections_in_a_container_are_counted_and_checked() {
    need_root!();
    let mut site = Site::contained(1, 1);
    site.hosts[0].ip("route add default via 10.0.0.200");
    site.hosts[0].ip("-6 route add default via fd00::c8");
    let sleeping = site.containers[0].command("sleep").arg("600").spawn().unwrap();
    let process = Process(sleeping);
    let by_process = format!("{WEB}\nsockets = \"pid:{}\"", process.0.id());
    // Until nsenter has entered it, the process is in another one.
    let entered = format!("/proc/{}/comm", process.0.id());
    wait(|| fs::read_to_string(&entered).is_ok_and(|name| name.trim() == "sleep"), || "no process".to_owned());
    site.attach(&Lists::of(0..1).configuration(&by_process), Some(""));
    let start = |service| Downloads::start(&site.client, &Site::clients(service), service, 2);
    let mut downloads: Vec<_> = SERVICES.map(start).into();
    let view = site.keepers[0].json("connections --interval 0.1");
    let held: Vec<_> = view["services"].as_array().unwrap().iter().map(|it| it["held"].as_u64().unwrap()).collect();
    assert_eq!(held, [2 * u64::from(CLIENTS); 2], "{view}");
    downloads.iter_mut().for_each(|downloads| assert!(downloads.finish().broken.is_empty()));
    let found = complaints(&site.keepers[0]);
    for check in ["listener", "address", "way", "nat", "sockets"] {
        assert!(of(&found, check).is_empty(), "{found:?}");
    }

    site.stop_servers();
    let [four, six] = SERVICES;
    site.containers[0].ip(&format!("addr del {four}/32 dev lo"));
    site.hosts[0].ip(&format!("route del {six}"));
    site.hosts[0].ip(&format!("addr add {six}/128 dev lo"));
    let found = complaints(&site.keepers[0]);
    assert!(of(&found, "listener").len() == 2 && of(&found, "listener")[0][2].contains("pid:"), "{found:?}");
    let seen = of(&found, "address");
    assert!(seen.len() == 1 && seen[0][3].contains(&format!("-- ip address add {four}/32 dev lo")), "{found:?}");
    let seen = of(&found, "way");
    assert!(seen.len() == 1 && seen[0][2].contains("also an address"), "{found:?}");
    drop(process);
    wait(|| of(&complaints(&site.keepers[0]), "sockets").len() == 2, || "it is not missed".to_owned());
}
