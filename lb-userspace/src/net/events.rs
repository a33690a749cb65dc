//! Events of the kernel about links, neighbours, addresses and routes in a network namespace.
//!
//! Trap: the kernel drops events that are not read in time, and reports that once. Then everything must be read again.

use futures_util::{Stream, StreamExt as _};
use rtnetlink::{
    MulticastGroup, new_multicast_connection,
    packet_core::{NetlinkMessage, NetlinkPayload},
    packet_route::RouteNetlinkMessage,
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
    Link(Interface),
    /// An interface was removed.
    LinkGone(u32),
    /// An entry of the neighbour table was added or changed.
    Neighbour(Neighbour),
    /// An entry was removed.
    NeighbourGone(Neighbour),
    /// An address of this host was added, changed or removed.
    Address,
    /// A route or a rule was added, changed or removed.
    Route,
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
        let groups = [
            MulticastGroup::Link,
            MulticastGroup::Neigh,
            MulticastGroup::Ipv4Ifaddr,
            MulticastGroup::Ipv6Ifaddr,
            MulticastGroup::Ipv4Route,
            MulticastGroup::Ipv6Route,
            MulticastGroup::Ipv4Rule,
            MulticastGroup::Ipv6Rule,
        ];
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

const fn is_about_routes(message: &RouteNetlinkMessage) -> bool {
    matches!(
        message,
        RouteNetlinkMessage::NewRoute(_)
            | RouteNetlinkMessage::DelRoute(_)
            | RouteNetlinkMessage::NewRule(_)
            | RouteNetlinkMessage::DelRule(_)
    )
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
        (!other).then(|| Event::Link(interface_of(link)))
    } else if let RouteNetlinkMessage::DelLink(link) = inner {
        let other = link.header.interface_family != rtnetlink::packet_route::AddressFamily::Unspec;
        (!other).then_some(Event::LinkGone(link.header.index))
    } else if let RouteNetlinkMessage::NewNeighbour(message) = inner {
        neighbours::read(&message).map(Event::Neighbour)
    } else if let RouteNetlinkMessage::DelNeighbour(message) = inner {
        neighbours::read(&message).map(Event::NeighbourGone)
    } else if matches!(inner, RouteNetlinkMessage::NewAddress(_) | RouteNetlinkMessage::DelAddress(_)) {
        Some(Event::Address)
    } else if is_about_routes(&inner) {
        Some(Event::Route)
    } else {
        None
    }
}
