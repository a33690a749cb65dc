//! Events of the kernel about links and neighbours in a network namespace.
//!
//! Trap: the kernel drops events that are not read in time, and reports that once. Then everything must be read again.

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

/// A change in the network namespace.
#[derive(Clone, Debug)]
pub enum Event {
    /// An interface appeared or changed.
    Link {
        /// As it is now.
        interface: Interface,
        /// Whether frames can leave it: it is up and has a carrier.
        running: bool,
    },
    /// An interface was removed.
    LinkGone(u32),
    /// An entry of the neighbour table was added or changed.
    Neighbour(Neighbour),
    /// An entry was removed.
    NeighbourGone(Neighbour),
    /// Events were dropped.
    Missed,
}

/// The events of the network namespace in which it was opened.
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
    /// Subscribes to events of the current network namespace. Call it within a tokio runtime.
    ///
    /// # Errors
    ///
    /// No netlink socket can be opened.
    pub fn open() -> Result<Self> {
        let groups = [MulticastGroup::Link, MulticastGroup::Neigh];
        let (connection, _, messages) = new_multicast_connection(&groups).map_err(Error::Open)?;
        let messages = Box::new(messages.map(|(message, _)| message));
        Ok(Self { messages, connection: tokio::spawn(connection) })
    }

    /// The next event; `None`: the socket has failed, and must be opened again.
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
        // Answers to requests, of which there are none here.
        NetlinkPayload::Done(_) | NetlinkPayload::Error(_) | NetlinkPayload::Noop | _ => return None,
    };
    if let RouteNetlinkMessage::NewLink(link) = inner {
        // Bridges send such messages about their ports, without the attributes of a link.
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
