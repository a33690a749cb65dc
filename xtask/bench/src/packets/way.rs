//! The ways to forward that are compared.

use crate::{
    frame::{Family, Shape},
    table::{Kind, Table},
};

/// Servers of the service with which all ways are compared. Few, which favours routes, whose next hops the kernel
/// searches one by one.
pub const SERVERS: u32 = 16;

/// A way to forward.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way {
    /// Rewrites both MACs and sends the frame back: nothing that forwards at layer 2 can be faster.
    Floor,
    /// modlb in the driver.
    Native,
    /// modlb in the network stack.
    Generic,
    /// `jhash` of the source modulo N in nftables' ingress hook.
    Nftables,
    /// The kernel's routing, by a route with a next hop for each server.
    Ecmp,
    /// The floor with two interfaces: rewrites both MACs and redirects the frame to the other one.
    Redirect,
    /// modlb in the drivers of two interfaces, with all servers behind the other one.
    TwoArmed,
    /// The kernel's routing, by one route, of packets that no service takes.
    Route,
    /// The same with modlb in the drivers of both interfaces.
    Transit,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Floor,
        Self::Native,
        Self::Generic,
        Self::Nftables,
        Self::Ecmp,
        Self::Redirect,
        Self::TwoArmed,
        Self::Route,
        Self::Transit,
    ];

    /// Its name in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Floor => "MAC rewrite",
            Self::Native => "modlb",
            Self::Generic => "modlb generic",
            Self::Nftables => "nftables",
            Self::Ecmp => "ECMP",
            Self::Redirect => "bare redirect",
            Self::TwoArmed => "modlb, two interfaces",
            Self::Route => "the kernel alone",
            Self::Transit => "the kernel, modlb attached",
        }
    }

    /// The mode in which modlb is attached, if it is.
    pub const fn mode(self) -> Option<&'static str> {
        match self {
            Self::Native | Self::TwoArmed | Self::Transit => Some("native"),
            Self::Generic => Some("generic"),
            Self::Floor | Self::Nftables | Self::Ecmp | Self::Redirect | Self::Route => None,
        }
    }

    /// Whether packets leave by another interface than they come by.
    pub const fn has_exit(self) -> bool {
        matches!(self, Self::Ecmp | Self::Redirect | Self::TwoArmed | Self::Route | Self::Transit)
    }

    /// Whether the kernel forwards them by its routes.
    pub const fn routes(self) -> bool {
        matches!(self, Self::Ecmp | Self::Route | Self::Transit)
    }

    /// Whether it chooses among servers; else all packets go to the same one.
    pub const fn chooses(self) -> bool {
        !matches!(self, Self::Floor | Self::Redirect | Self::Route | Self::Transit)
    }

    /// One service with [`SERVERS`] servers, where modlb expects them.
    pub const fn table(self, family: Family) -> Table {
        Table { exit: matches!(self, Self::TwoArmed | Self::Transit), ..one_service(family) }
    }

    /// The packets that it gets.
    pub fn shape(self, family: Family) -> Shape {
        // Addresses after those of all services.
        let first = if matches!(self, Self::Route | Self::Transit) { 0x8000 } else { 0 };
        Shape { first, ..Shape::tcp(family) }
    }
}

/// One service with [`SERVERS`] servers.
pub const fn one_service(family: Family) -> Table {
    Table { services: 1, addresses: 1, servers: SERVERS, ..Table::usual(family, Kind::Port) }
}
