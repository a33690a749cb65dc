//! What changes in a network namespace, as the kernel tells it: links and neighbours.
//!
//! Trap: the kernel drops events that nobody reads in time, and says so once. Then everything has to be looked at anew.

use futures_util::{Stream, StreamExt as _};
use rtnetlink::{
    MulticastGroup, new_multicast_connection,
    packet_core::{NetlinkMessage, NetlinkPayload},
    packet_route::{RouteNetlinkMessage, link::LinkFlags},
};
use tokio::task::JoinHandle;

use super::{
    Neighbour,
    error::{Error, Result},
    interfaces::{Interface, interface_of},
    neighbours,
};

/// A change.
#[derive(Clone, Debug)]
pub enum Event {
    /// An interface came, or something about it changed.
    Link {
        /// As it is now.
        interface: Interface,
        /// Whether frames can leave it: it is up, and the cable is in.
        running: bool,
    },
    /// An interface went.
    LinkGone(u32),
    /// An entry of the neighbour table came or changed.
    Neighbour(Neighbour),
    /// An entry went.
    NeighbourGone(Neighbour),
    /// There were more than could be kept.
    Missed,
}

/// The changes of the namespace that was entered when it was opened.
pub struct Events {
    messages: Box<dyn Stream<Item = NetlinkMessage<RouteNetlinkMessage>> + Send + Unpin>,
    connection: JoinHandle<()>,
}

impl Drop for Events {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Events {
    /// Opens the current network namespace, within a tokio runtime.
    ///
    /// # Errors
    ///
    /// There is no netlink socket to be had.
    pub fn open() -> Result<Self> {
        let groups = [MulticastGroup::Link, MulticastGroup::Neigh];
        let (connection, _, messages) = new_multicast_connection(&groups).map_err(Error::Open)?;
        let messages = Box::new(messages.map(|(message, _)| message));
        Ok(Self { messages, connection: tokio::spawn(connection) })
    }

    /// The next change; `None`: the kernel tells no more, and it has to be opened anew.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = event(self.messages.next().await?) {
                return Some(event);
            }
        }
    }
}

fn event(message: NetlinkMessage<RouteNetlinkMessage>) -> Option<Event> {
    let inner = match message.payload {
        NetlinkPayload::InnerMessage(inner) => inner,
        NetlinkPayload::Overrun(_) => return Some(Event::Missed),
        // That of requests, which nobody makes here.
        NetlinkPayload::Done(_) | NetlinkPayload::Error(_) | NetlinkPayload::Noop | _ => return None,
    };
    if let RouteNetlinkMessage::NewLink(link) = inner {
        // A bridge tells of its ports in the same way, and says nothing else of them.
        let other = link.header.interface_family != rtnetlink::packet_route::AddressFamily::Unspec;
        let running = link.header.flags.contains(LinkFlags::Running);
        (!other).then(|| Event::Link { interface: interface_of(link), running })
    } else if let RouteNetlinkMessage::DelLink(link) = inner {
        let other = link.header.interface_family != rtnetlink::packet_route::AddressFamily::Unspec;
        (!other).then_some(Event::LinkGone(link.header.index))
    } else if let RouteNetlinkMessage::NewNeighbour(message) = inner {
        neighbours::read(&message).map(Event::Neighbour)
    } else if let RouteNetlinkMessage::DelNeighbour(message) = inner {
        neighbours::read(&message).map(Event::NeighbourGone)
    } else {
        None
    }
}
