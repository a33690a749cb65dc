//! `modlb status`, `services` and `servers`.

use std::net::IpAddr;

use anyhow::{Result, anyhow, bail, ensure};

use crate::{
    change::inspect::inspect,
    cli::{self, Field, Format},
    datapath::{Datapath, Error},
    net::Net,
    observe::{agent_record, status},
    output::{AgentView, NotInForce, ServersView, ServicesView, StatusView, print, print_text},
};

pub async fn status(instance: &str, options: &cli::Status) -> Result<()> {
    let view = view(instance).await?;
    match options.field {
        Some(field) => print_text(&field_text(&view, field, options.service.as_deref())?)?,
        None => print(&view, options.format.json)?,
    }
    if options.expect_attached {
        expect_attached(&view)?;
    }
    if let Some(address) = options.expect_self {
        ensure!(own(&view).contains(&address), "this host is not the server {address} of any service");
    }
    match options.expect_digest.map(|digest| digest.to_string()) {
        Some(expected) if expected != view.digest => bail!(
            "the digest is {}, not {expected}: this instance does not send every packet to the same server as the one that \
             {expected} was taken from; compare what `modlb export` prints on both",
            view.digest
        ),
        Some(_) | None => Ok(()),
    }
}

/// A field as text, one value on each line.
fn field_text(view: &StatusView, field: Field, service: Option<&str>) -> Result<String> {
    ensure!(service.is_none() || field == Field::Digest, "--service goes with `--field digest` alone");
    Ok(match (field, service) {
        (Field::Digest, Some(name)) => match view.services.iter().find(|service| service.name == name) {
            Some(service) => service.digest.clone(),
            None => bail!("there is no service {name:?}; `modlb services` lists them"),
        },
        (Field::Digest, None) => view.digest.clone(),
        (Field::State, _) => view.state.name().to_owned(),
        (Field::Role, _) => view.role.clone(),
        (Field::Own, _) => lines(own(view).iter()),
        (Field::Interfaces, _) => lines(view.interfaces.iter().map(|interface| &interface.name)),
    })
}

/// The servers that this host is, in the roles that say so.
fn own(view: &StatusView) -> &[IpAddr] {
    match (&view.member, &view.keep) {
        (Some(member), _) => &member.own,
        (None, Some(keep)) => &keep.own,
        (None, None) => &[],
    }
}

fn lines<T: ToString>(values: impl Iterator<Item = T>) -> String {
    values.map(|value| value.to_string() + "\n").collect()
}

fn expect_attached(view: &StatusView) -> Result<()> {
    ensure!(!view.interfaces.is_empty(), "the instance is not attached to any interface");
    let others = view.interfaces.iter().filter(|interface| interface.state != "attached");
    let others: Vec<_> = others.map(|interface| format!("{} ({})", interface.name, interface.state)).collect();
    ensure!(
        others.is_empty(),
        "the instance is not attached any more to {}; `modlb attach` and the agent mend that",
        others.join(", ")
    );
    Ok(())
}

pub async fn services(instance: &str, format: Format) -> Result<()> {
    Ok(print(&ServicesView::from(view(instance).await?), format.json)?)
}

pub async fn servers(instance: &str, format: Format) -> Result<()> {
    Ok(print(&ServersView::from(view(instance).await?), format.json)?)
}

async fn view(instance: &str) -> Result<StatusView> {
    let datapath = Datapath::open(instance).map_err(|error| with_agent(instance, error))?;
    if !datapath.traced()?.is_empty() && !datapath.is_being_traced() {
        log::warn!(
            "the command that traced this instance was killed together with its watchdog; `modlb upgrade`, or the next \
             command that changes the instance, puts the regular program back"
        );
    }
    let net = Net::open()?;
    let interfaces = status::interfaces(&datapath, &net).await?;
    let problems = inspect(&datapath, &net).await?;
    let snapshot = datapath.snapshot();
    let capacity = status::capacity(&datapath, &snapshot)?;
    let view = status::view(&snapshot, interfaces, &problems, status::unconfirmed(instance)?, capacity);
    Ok(StatusView { agent: agent_record::read(instance), ..view })
}

/// Where nothing runs yet, what its agent waits for.
fn with_agent(instance: &str, error: Error) -> anyhow::Error {
    let is_missing = matches!(error, Error::NotRunning(_));
    let agent = is_missing.then(|| agent_record::read(instance)).flatten();
    let Some(AgentView { process, file, not_in_force: Some(NotInForce { reason, .. }), .. }) = agent else {
        return error.into();
    };
    anyhow!(
        "no instance {instance} is running yet: its agent (process {process}) has not put {file} in force: {reason}"
    )
}
