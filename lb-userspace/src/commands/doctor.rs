//! `modlb doctor`.

use std::net::IpAddr;

use anyhow::{Result, bail};

use super::{exit_status::ExitStatus, input};
use crate::{
    change::{inspect::inspect, rollback},
    cli::{Doctor, Global},
    config::model::{Config, Role},
    datapath::{Datapath, attached},
    doctor::{
        checks,
        command::CommandContext,
        facts::Instance,
        finding::{Finding, Level},
        gather::{self, nic, server_side, site},
    },
    net::{Interface, Net},
    output::{DoctorView, print},
};

/// The exit status when there are warnings and no failure.
const WARNED: u8 = 3;

pub async fn run(global: &Global, options: &Doctor) -> Result<()> {
    let context = CommandContext { netns: global.netns.clone(), instance: global.instance.clone() };
    let findings = if options.server {
        server(options, &context).await?
    } else {
        balancer(&global.instance, options, &context).await?
    };
    let worst = findings.iter().map(|finding| finding.level).max();
    print(&DoctorView { findings, all: global.verbose > 0 }, options.format.json)?;
    match worst {
        None | Some(Level::Ok) => Ok(()),
        Some(Level::Warning) => Err(ExitStatus(WARNED).into()),
        Some(Level::Failure) => Err(ExitStatus(1).into()),
    }
}

async fn balancer(name: &str, options: &Doctor, context: &CommandContext) -> Result<Vec<Finding>> {
    let net = Net::open()?;
    let unconfirmed = rollback::find(name)?.map(|found| (found.left().unwrap_or_default().as_secs(), found.waiting));
    let (mut instance, datapath) = gather::instance(name, unconfirmed)?;
    // Files need not say that servers keep connections: balancers may have the same.
    let running = datapath.as_ref().map(|datapath| datapath.role());
    let role = if options.keep { Some(Role::Keep) } else { running.filter(|role| *role == Role::Keep) };
    if let (true, None, Some(running)) = (options.keep, &options.config, running)
        && running != Role::Keep
    {
        bail!("instance {name} has role `{}`: say what this server would keep, by --config FILE", running.name());
    }
    let config = options.config.as_deref().map(|file| input::read_for(file, role)).transpose()?;
    if let (Instance::Running { differences, .. }, Some(datapath)) = (&mut instance, &datapath) {
        let found = inspect(datapath, &net).await?.into_iter();
        *differences = found.map(|difference| (difference.interface, difference.text)).collect();
    }
    let interfaces = interfaces(&net, options, config.as_ref(), datapath.as_ref()).await?;
    if interfaces.is_empty() && matches!(instance, Instance::Missing) && config.is_none() {
        bail!(
            "instance {name} is not running, so name what to look at: an interface, as in `modlb doctor eth0`, or a \
             configuration, as in `modlb doctor --config /etc/modlb.toml`"
        );
    }
    let mut nics = Vec::new();
    for interface in &interfaces {
        nics.push(nic::read(&net, interface, datapath.as_ref(), name).await?);
    }
    let config = match (config, &datapath) {
        (Some(config), _) => config,
        (None, Some(datapath)) => datapath.snapshot().config,
        (None, None) => Config::default(),
    };
    let site = site::read(&net, config, datapath.as_ref(), &interfaces).await?;
    Ok(checks::all(&gather::host()?, &instance, &nics, &site, context))
}

/// The interfaces of the command line, else of the instance, else of the configuration.
async fn interfaces(
    net: &Net,
    options: &Doctor,
    config: Option<&Config>,
    datapath: Option<&Datapath>,
) -> Result<Vec<Interface>> {
    let names = match (&options.interfaces[..], datapath, config) {
        ([], Some(datapath), _) => return attached(datapath, net).await,
        ([], None, Some(config)) => &config.interfaces[..],
        (names, _, _) => names,
    };
    let mut interfaces = Vec::new();
    for name in names {
        interfaces.push(net.interface(name).await?);
    }
    Ok(interfaces)
}

async fn server(options: &Doctor, context: &CommandContext) -> Result<Vec<Finding>> {
    let mut services: Vec<IpAddr> = options.service.clone();
    if let Some(file) = &options.config {
        services.extend(checks::services::addresses(&input::read(file)?.services));
    }
    services.sort_unstable();
    services.dedup();
    if services.is_empty() {
        bail!(
            "name the services' addresses, as in `modlb doctor --server --service 203.0.113.10`, or a configuration that has \
             some, by --config"
        );
    }
    let net = Net::open()?;
    Ok(checks::server(&server_side::read(&net, services, &options.client).await?, context))
}
