//! `modlb status`, `services` and `servers`.

use anyhow::{Result, bail};

use crate::{
    cli::{self, Format},
    datapath::Datapath,
    observe::status,
    output::{ServersView, ServicesView, StatusView, print},
};

pub async fn status(instance: &str, options: &cli::Status) -> Result<()> {
    let view = view(instance).await?;
    print(&view, options.format.json)?;
    match options.expect_digest.map(|digest| digest.to_string()) {
        Some(expected) if expected != view.digest => bail!(
            "the digest is {}, not {expected}: this instance does not send every packet to the same server as the one that \
             {expected} was taken from; compare what `modlb export` prints on both",
            view.digest
        ),
        Some(_) | None => Ok(()),
    }
}

pub async fn services(instance: &str, format: Format) -> Result<()> {
    Ok(print(&ServicesView::from(view(instance).await?), format.json)?)
}

pub async fn servers(instance: &str, format: Format) -> Result<()> {
    Ok(print(&ServersView::from(view(instance).await?), format.json)?)
}

async fn view(instance: &str) -> Result<StatusView> {
    let datapath = Datapath::open(instance)?;
    if !datapath.traced()?.is_empty() && !datapath.is_being_traced() {
        log::warn!(
            "the command that traced this instance was killed together with its watchdog; `modlb upgrade`, or the next \
             command that changes the instance, puts the regular program back"
        );
    }
    let interfaces = status::interfaces(&datapath).await?;
    Ok(status::view(&datapath.snapshot(), interfaces, status::unconfirmed(instance)?))
}
