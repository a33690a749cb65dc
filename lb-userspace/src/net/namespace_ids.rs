//! The ids by which a network namespace knows others. Programs that run on its interfaces name others by them.
//!
//! An id stays until the other namespace is gone. Then the kernel may give it to another one.

use std::{fs::File, io, os::fd::AsRawFd as _};

use futures_util::StreamExt as _;
use rtnetlink::{
    packet_core::{NLM_F_ACK, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload},
    packet_route::{
        RouteNetlinkMessage,
        nsid::{NsidAttribute, NsidMessage},
    },
};

use super::{
    error::{Error, Result},
    netlink::{Net, answered},
};

impl Net {
    /// The id by which this network namespace knows another one; `None`: it has none yet.
    ///
    /// # Errors
    ///
    /// The kernel cannot be asked.
    pub async fn find_namespace_id(&self, namespace: &File) -> Result<Option<u32>> {
        let answer = self.ask_for_id(RouteNetlinkMessage::GetNsId, vec![of(namespace)]).await;
        answer.map_err(failed("the id of a network namespace"))
    }

    /// The same, and gives it one if it has none.
    ///
    /// # Errors
    ///
    /// The kernel cannot be asked, or refuses.
    pub async fn namespace_id(&self, namespace: &File) -> Result<u32> {
        let what = "the id of a network namespace";
        if let Some(id) = self.find_namespace_id(namespace).await? {
            return Ok(id);
        }
        match self.ask_for_id(RouteNetlinkMessage::NewNsId, vec![of(namespace), NsidAttribute::Id(ANY)]).await {
            // Somebody else has just done so.
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {}
            answer => drop(answer.map_err(failed(what))?),
        }
        let id = self.find_namespace_id(namespace).await?;
        id.ok_or_else(|| failed(what)(io::Error::from_raw_os_error(libc::ENOENT)))
    }

    /// Whether a network namespace has this id.
    ///
    /// # Errors
    ///
    /// The kernel cannot be asked.
    pub async fn knows_namespace(&self, id: u32) -> Result<bool> {
        let Ok(id) = i32::try_from(id) else { return Ok(false) };
        match self.ask_for_id(RouteNetlinkMessage::GetNsId, vec![NsidAttribute::Id(id)]).await {
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EINVAL)) => Ok(false),
            answer => Ok(answer.map_err(failed("the ids of network namespaces"))?.is_some()),
        }
    }

    /// Sends a request; the answer may have an id.
    async fn ask_for_id(
        &self,
        kind: fn(NsidMessage) -> RouteNetlinkMessage,
        attributes: Vec<NsidAttribute>,
    ) -> io::Result<Option<u32>> {
        let mut message = NsidMessage::default();
        message.attributes = attributes;
        let mut request = NetlinkMessage::from(kind(message));
        request.header.flags = NLM_F_REQUEST | NLM_F_ACK;
        answered(async {
            let mut answers = self.handle.clone().request(request)?;
            let mut found = None;
            while let Some(answer) = answers.next().await {
                if let NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewNsId(message)) = answer.payload {
                    found = id(&message);
                } else if let NetlinkPayload::Error(error) = answer.payload
                    // Without a code it acknowledges the request.
                    && error.code.is_some()
                {
                    return Err(rtnetlink::Error::NetlinkError(error));
                }
            }
            Ok(found)
        })
        .await
    }
}

/// Any id that is free.
const ANY: i32 = -1;

fn of(namespace: &File) -> NsidAttribute {
    NsidAttribute::Fd(namespace.as_raw_fd() as u32)
}

/// A negative id is none.
fn id(message: &NsidMessage) -> Option<u32> {
    let mut attributes = message.attributes.iter();
    attributes.find_map(|it| if let NsidAttribute::Id(id) = it { u32::try_from(*id).ok() } else { None })
}

fn failed(what: &str) -> impl Fn(io::Error) -> Error {
    let what = what.to_owned();
    move |source| Error::Request { what: what.clone(), source }
}
