//! The filters of traffic control on an interface.

use super::{
    error::Result,
    netlink::{Net, all},
};

impl Net {
    /// The priorities and handles of the filters of the queueing discipline clsact on an interface.
    pub async fn clsact_filters(&self, index: u32) -> Result<Vec<(u16, u32)>> {
        let request = || self.handle.traffic_filter(index as i32).get();
        let mut messages = all(request().egress().execute(), "the filters of an interface").await?;
        messages.extend(all(request().ingress().execute(), "the filters of an interface").await?);
        let filters = messages.iter().map(|message| {
            let handle = u32::from(message.header.handle.major) << 16 | u32::from(message.header.handle.minor);
            // The priority is in the upper half, the protocol in the lower.
            ((message.header.info >> 16) as u16, handle)
        });
        Ok(filters.filter(|(_, handle)| *handle != 0).collect())
    }
}
