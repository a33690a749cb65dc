//! `modlb server up|down|add|remove`.

use std::net::IpAddr;

use anyhow::{Result, bail, ensure};

use super::change::{ChangeRequest, change};
use crate::{
    change::{apply::ChangeOptions, resolve::Refresh},
    cli::{Format, ServerAdd, ServerDown, ServerName, ServerUp},
    config::model::{ByHand, Config, Health, Server, ServerMac, Service, State, Vlan, health},
    datapath::store::private,
};

pub async fn up(instance: &str, options: &ServerUp) -> Result<()> {
    let ServerUp { name, format } = options;
    let refresh = Refresh::One(&name.service, name.server);
    edit(instance, name, *format, refresh, false, |service| {
        let server = find(service, name.server)?;
        server.state = State::Up;
        // Not by a file.
        server.health.by_hand = Some(ByHand::NextFile);
        Ok(())
    })
    .await
}

pub async fn down(instance: &str, options: &ServerDown) -> Result<()> {
    let ServerDown { name, within, sticky, format } = options;
    let by_hand = match within {
        Some(within) => {
            ensure_agent(instance, name)?;
            ByHand::Until(u32::try_from(health::now() + within.as_secs())?)
        }
        None if *sticky => ByHand::ServerUp,
        None => ByHand::NextFile,
    };
    edit(instance, name, *format, Refresh::Unknown, false, |service| {
        take_down(find(service, name.server)?, by_hand);
        Ok(())
    })
    .await
}

/// What is down already is not taken down for a shorter time, unless that is asked for.
fn take_down(server: &mut Server, by_hand: ByHand) {
    let Server { state, health: Health { by_hand: before, .. }, .. } = server;
    match by_hand {
        ByHand::NextFile if *state == State::Down || before.is_some_and(ByHand::outlasts_files) => {}
        ByHand::NextFile => (*state, *before) = (State::Down, Some(by_hand)),
        // The state is what the server comes back to.
        ByHand::Until(_) | ByHand::ServerUp => {
            if *before == Some(ByHand::NextFile) {
                *state = State::Up;
            }
            *before = Some(by_hand);
        }
    }
}

/// Somebody must bring the server back.
fn ensure_agent(instance: &str, ServerName { service, server, .. }: &ServerName) -> Result<()> {
    ensure!(
        private::has_agent(instance)?,
        "--for needs the agent, which brings the server back when the time is over, and none manages instance {instance}; \
         start it (`systemctl start modlb-agent`, or `modlb agent --config FILE`), or take the server down until `modlb \
         server up`: modlb server down {service} {server} --sticky"
    );
    Ok(())
}

pub async fn add(instance: &str, options: &ServerAdd) -> Result<()> {
    let ServerAdd { name, mac, vlan, weight, format } = options;
    edit(instance, name, *format, Refresh::Unknown, true, |service| {
        if position(service, name.server).is_some() {
            bail!("service {}: server {} is there already", service.name, name.server);
        }
        let mac = mac.map_or(ServerMac::Unresolved, ServerMac::Given);
        let vlan = vlan.map(Vlan::from_number);
        let (address, weight, health) = (name.server, *weight, Health::default());
        let place = service.servers.iter().position(Server::is_former).unwrap_or(service.servers.len());
        service.servers.insert(place, Server { address, mac, vlan, weight, state: State::Up, health });
        Ok(())
    })
    .await
}

pub async fn remove(instance: &str, options: &ServerUp) -> Result<()> {
    let ServerUp { name, format } = options;
    edit(instance, name, *format, Refresh::Unknown, false, |service| {
        let address = find(service, name.server)?.address;
        service.servers.retain(|server| server.address != address);
        Ok(())
    })
    .await
}

async fn edit(
    instance: &str,
    name: &ServerName,
    format: Format,
    refresh: Refresh<'_>,
    must_find: bool,
    edit: impl FnOnce(&mut Service) -> Result<()>,
) -> Result<()> {
    let must_find = must_find.then_some((name.service.as_str(), name.server));
    let request = ChangeRequest {
        dry_run: name.dry_run,
        json: format.json,
        confirm: None,
        options: ChangeOptions { refresh, force: true, must_find },
    };
    change(instance, request, |have| {
        let mut want = have.clone();
        edit(service(&mut want, &name.service)?)?;
        want.update_former_servers();
        // What an earlier version allowed must not keep a server from being taken down.
        if let Err(error) = want.validate()
            && have.validate().is_ok()
        {
            return Err(error.into());
        }
        Ok(want)
    })
    .await
}

fn service<'a>(config: &'a mut Config, name: &str) -> Result<&'a mut Service> {
    let names: Vec<_> = config.services.iter().map(|service| service.name.clone()).collect();
    match config.service_mut(name) {
        Some(service) => Ok(service),
        None if names.is_empty() => bail!("there is no service {name:?}; the instance has none"),
        None => bail!("there is no service {name:?}; there are {}", names.join(", ")),
    }
}

fn position(service: &Service, server: IpAddr) -> Option<usize> {
    service.servers.iter().position(|candidate| candidate.address == server && !candidate.is_former())
}

fn find(service: &mut Service, server: IpAddr) -> Result<&mut Server> {
    match position(service, server) {
        Some(index) => Ok(&mut service.servers[index]),
        None => bail!("service {}: there is no server {server}; `modlb servers` lists them", service.name),
    }
}
