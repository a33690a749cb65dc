//! A digest of everything that routes to servers depend on.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use futures_util::{StreamExt as _, TryStreamExt as _};
use rtnetlink::{
    IpVersion, RouteMessageBuilder,
    packet_route::{
        AddressFamily,
        route::{RouteAttribute, RouteMessage},
    },
};

use super::{
    error::{Error, Result},
    netlink::{Net, all, answered},
};

impl Net {
    /// A digest of this host's interfaces, addresses, routes and rules, and of what the drivers of the given interfaces
    /// can do. While it stays, so do the ways to servers. It costs a few requests, whatever the number of servers.
    ///
    /// # Errors
    ///
    /// The kernel cannot be asked.
    pub async fn stamp(&self, interfaces: impl Iterator<Item = u32>) -> Result<u64> {
        let mut hash = DefaultHasher::new();
        for index in interfaces {
            format!("{:?}", self.xdp_features(index).ok().flatten()).hash(&mut hash);
        }
        for interface in self.interfaces().await? {
            format!("{interface:?}").hash(&mut hash);
        }
        for address in self.own_addresses().await? {
            address.hash(&mut hash);
        }
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut all_routes = RouteMessageBuilder::<std::net::IpAddr>::new().build();
            all_routes.header.address_family = family;
            let mut routes = self.handle.route().get(all_routes).execute().boxed();
            let failed = |source| Error::Request { what: "the routes".to_owned(), source };
            while let Some(route) = answered(routes.try_next()).await.map_err(failed)? {
                lasting(route).hash(&mut hash);
            }
        }
        for version in [IpVersion::V4, IpVersion::V6] {
            let rules = all(self.handle.rule().get(version).execute(), "the rules of routing").await?;
            format!("{rules:?}").hash(&mut hash);
        }
        Ok(hash.finish())
    }
}

/// A route without what changes by itself, such as the time until it expires.
fn lasting(mut route: RouteMessage) -> String {
    route.attributes.retain(|attribute| !matches!(attribute, RouteAttribute::CacheInfo(_)));
    format!("{route:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_stamp_stays_while_nothing_changes() {
        let net = Net::open().unwrap();
        let stamp = || async { net.stamp([1].into_iter()).await.unwrap() };
        assert_eq!(stamp().await, stamp().await);
    }
}
