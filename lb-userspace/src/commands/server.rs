//! `modlb server up|down|add|remove`.

use std::net::IpAddr;

use anyhow::{Result, bail};

use super::change::{ChangeRequest, change};
use crate::{
    change::{apply::ChangeOptions, resolve::Refresh},
    cli::{ServerAdd, ServerName},
    config::model::{Config, Health, Server, ServerMac, Service, State, Vlan},
};

pub async fn up(instance: &str, name: &ServerName) -> Result<()> {
    set_state(instance, name, State::Up, Refresh::One(&name.service, name.server)).await
}

pub async fn down(instance: &str, name: &ServerName) -> Result<()> {
    set_state(instance, name, State::Down, Refresh::Unknown).await
}

pub async fn add(instance: &str, options: &ServerAdd) -> Result<()> {
    let ServerAdd { name, mac, vlan, weight } = options;
    edit(instance, name, Refresh::Unknown, true, |service| {
        if position(service, name.server).is_some() {
            bail!("service {}: server {} is there already", service.name, name.server);
        }
        let mac = mac.map_or(ServerMac::Unresolved, ServerMac::Given);
        let vlan = vlan.map(Vlan::from_number);
        let (address, weight, health) = (name.server, *weight, Health::default());
        service.servers.push(Server { address, mac, vlan, weight, state: State::Up, health });
        Ok(())
    })
    .await
}

pub async fn remove(instance: &str, name: &ServerName) -> Result<()> {
    edit(instance, name, Refresh::Unknown, false, |service| {
        let index = find(service, name.server)?;
        service.servers.remove(index);
        Ok(())
    })
    .await
}

async fn set_state(instance: &str, name: &ServerName, state: State, refresh: Refresh<'_>) -> Result<()> {
    edit(instance, name, refresh, false, |service| {
        let index = find(service, name.server)?;
        service.servers[index].state = state;
        Ok(())
    })
    .await
}

async fn edit(
    instance: &str,
    name: &ServerName,
    refresh: Refresh<'_>,
    must_find: bool,
    edit: impl FnOnce(&mut Service) -> Result<()>,
) -> Result<()> {
    let must_find = must_find.then_some((name.service.as_str(), name.server));
    let request = ChangeRequest {
        dry_run: name.dry_run,
        json: false,
        confirm: None,
        options: ChangeOptions { refresh, force: true, must_find },
    };
    change(instance, request, |have| {
        let mut want = have.clone();
        edit(service(&mut want, &name.service)?)?;
        want.validate()?;
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
    service.servers.iter().position(|candidate| candidate.address == server)
}

fn find(service: &Service, server: IpAddr) -> Result<usize> {
    match position(service, server) {
        Some(index) => Ok(index),
        None => bail!("service {}: there is no server {server}; `modlb servers` lists them", service.name),
    }
}
