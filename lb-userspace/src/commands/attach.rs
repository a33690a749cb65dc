//! `modlb attach`.

use anyhow::Result;

use super::input;
use crate::{
    change::{
        own::own_addresses,
        reconcile::{AttachOptions, reconcile},
        resolve, rollback, sockets,
        steps::Interrupt,
    },
    cli::Attach,
    config::model::Config,
    datapath::{InstanceOptions, Need, Writer},
    doctor::translation,
    net::{Interface, Net, shell::quoted},
    output::{change_lines, end_waits_on, print_text},
};

pub async fn run(instance: &str, options: &Attach) -> Result<()> {
    let config = options.config.as_deref().map(|file| input::read_for(file, options.role)).transpose()?;
    let net = Net::open()?;
    let interfaces = interfaces(&net, options, config.as_ref()).await?;
    if let Some(config) = config.as_ref().filter(|_| !options.force) {
        let own = own_addresses(&net, config).await?;
        sockets::check(config, &own)?;
        translation::check(config, &own)?;
    }
    let wanted = InstanceOptions {
        services: options.capacity.max_services,
        slots: options.capacity.max_slots,
        servers: options.capacity.max_servers,
        role: config.as_ref().map(|config| config.role).or(options.role),
        need: config.as_ref().map(Need::of).unwrap_or_default(),
    };
    end_waits_on(&[libc::SIGINT])?;
    let mut writer = Writer::create(instance, &wanted)?;
    if !writer.is_new() {
        rollback::refuse(instance)?;
    }
    let attach = AttachOptions {
        mode: options.mode.program_mode(options.clsact),
        standby: options.standby,
        replace: true,
        source: None,
        force: options.force,
        interrupt: Interrupt::on_ctrl_c(),
    };
    match reconcile(&mut writer, &net, attach, config, interfaces, None).await {
        Ok(reconciled) => {
            resolve::warn(&reconciled.unresolved);
            reconciled.shortages.iter().for_each(|shortage| log::warn!("{shortage}"));
            Ok(print_text(&change_lines(reconciled.lines).join("\n"))?)
        }
        Err(error) => {
            writer.abandon()?;
            Err(error)
        }
    }
}

/// The interfaces of the command line or, if there are none, of the configuration.
async fn interfaces(net: &Net, options: &Attach, config: Option<&Config>) -> Result<Vec<Interface>> {
    let names = match (&options.interfaces[..], config) {
        ([], Some(config)) => &config.interfaces[..],
        (names, _) => names,
    };
    let mut interfaces: Vec<Interface> = Vec::new();
    for name in names {
        let interface = net.interface(name).await?;
        if !interface.up {
            log::warn!("{name} is down; nothing arrives there before `ip link set {} up`", quoted(name));
        }
        if !interfaces.contains(&interface) {
            interfaces.push(interface);
        }
    }
    Ok(interfaces)
}
