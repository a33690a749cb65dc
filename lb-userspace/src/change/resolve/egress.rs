//! What the datapath can send by: the attached interfaces, and what keeps each from taking frames.

use crate::{
    config::model::Missing,
    datapath::Location,
    net::{Interface, Net, XdpMode},
};

/// How servers are written down.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Form {
    /// With one interface, frames are sent back by the interface that they came in on, which is fastest.
    #[default]
    Shortest,
    /// Each server names its interface, even if there is only one. So whatever interface has a program in addition
    /// sends to the right link; for while interfaces are attached or detached.
    Explicit,
}

/// The interfaces that frames can leave by.
#[derive(Debug)]
pub struct Egress<'a> {
    /// Those that the instance is attached to.
    pub interfaces: &'a [Interface],
    form: Form,
    /// For each of them, why nothing can be sent by it.
    troubles: Vec<Option<Missing>>,
}

impl<'a> Egress<'a> {
    /// For a datapath on these interfaces.
    pub fn new(net: &Net, interfaces: &'a [Interface], form: Form) -> Self {
        // A driver that an old kernel says nothing about may be able to.
        let features = |interface: &Interface| net.xdp_features(interface.index).ok().flatten();
        Self::with(interfaces, form, |interface| features(interface).is_none_or(|features| features.target()))
    }

    /// The same. `takes`: whether an interface's driver takes redirected frames.
    fn with(interfaces: &'a [Interface], form: Form, takes: impl Fn(&Interface) -> bool) -> Self {
        let troubles = interfaces.iter().map(|interface| trouble(interface, interfaces, || takes(interface))).collect();
        Self { interfaces, form, troubles }
    }

    /// Whether frames are sent back by the interface that they came in on.
    pub const fn is_direct(&self) -> bool {
        self.interfaces.len() <= 1 && matches!(self.form, Form::Shortest)
    }

    /// The attached interface with this index.
    pub fn attached(&self, index: u32) -> Option<&'a Interface> {
        self.interfaces.iter().find(|interface| interface.index == index)
    }

    /// The location of servers behind an attached interface.
    pub fn location(&self, index: u32) -> Location {
        match self.attached(index) {
            Some(interface) if !self.is_direct() => {
                Location::ViaNextHop { interface: interface.index, source: interface.mac.unwrap_or_default() }
            }
            Some(_) | None => Location::SamePort,
        }
    }

    /// Where a server is now that was there before; `None`: that cannot be told without asking for its route.
    pub fn carried(&self, before: Location) -> Option<Location> {
        match (before, self.interfaces) {
            (Location::SamePort, [only]) => Some(self.location(only.index)),
            (Location::ViaNextHop { interface, .. }, _) => {
                self.attached(interface).map(|interface| self.location(interface.index))
            }
            (Location::SamePort | Location::Local, _) => None,
        }
    }

    /// Why nothing can be sent by an interface.
    pub fn trouble(&self, index: u32) -> Option<Missing> {
        let position = self.interfaces.iter().position(|interface| interface.index == index)?;
        self.troubles[position]
    }
}

/// Why frames that other interfaces redirect to this one are lost. `takes`: whether its driver takes any.
///
/// Without another interface there is no redirection, and nothing to choose.
fn trouble(interface: &Interface, all: &[Interface], takes: impl FnOnce() -> bool) -> Option<Missing> {
    let mut others = all.iter().filter(|other| other.index != interface.index).peekable();
    others.peek()?;
    if !interface.running {
        return Some(Missing::LinkDown);
    }
    if others.clone().any(|other| other.mtu > interface.mtu) {
        return Some(Missing::SmallMtu);
    }
    // In generic mode the network stack sends, by any interface.
    let native = |other: &Interface| other.xdp.is_some_and(|xdp| xdp.mode != XdpMode::Generic);
    (others.any(native) && !takes()).then_some(Missing::NoRedirect)
}

#[cfg(test)]
mod tests {
    use lb_common::mac::Mac;

    use super::*;
    use crate::net::XdpInfo;

    fn interface(index: u32, mode: XdpMode, mtu: u32, running: bool) -> Interface {
        let mac = Some(Mac([2, 0, 0, 0, 0, index as u8]));
        let xdp = Some(XdpInfo { mode, program_id: 1 });
        Interface { index, mac, mtu, running, xdp, up: true, ..Interface::default() }
    }

    #[test]
    fn what_keeps_an_interface_from_taking_frames() {
        let one = |mode| interface(1, mode, 1_500, true);
        let judge = |two: Interface, takes: bool, mode| trouble(&two.clone(), &[one(mode), two], || takes);
        let fine = interface(2, XdpMode::Generic, 1_500, true);
        assert_eq!(judge(fine.clone(), true, XdpMode::Native), None);
        assert_eq!(judge(fine.clone(), false, XdpMode::Native), Some(Missing::NoRedirect));
        assert_eq!(judge(fine.clone(), false, XdpMode::Generic), None);
        assert_eq!(judge(Interface { mtu: 1_499, ..fine.clone() }, true, XdpMode::Native), Some(Missing::SmallMtu));
        assert_eq!(judge(Interface { mtu: 9_000, ..fine.clone() }, true, XdpMode::Native), None);
        assert_eq!(judge(Interface { running: false, ..fine.clone() }, true, XdpMode::Native), Some(Missing::LinkDown));
        // Alone, it takes nothing from others.
        let alone = Interface { running: false, ..fine };
        assert_eq!(trouble(&alone, std::slice::from_ref(&alone), || false), None);
    }

    #[test]
    fn a_server_stays_behind_its_interface_in_either_form() {
        let all = [interface(1, XdpMode::Generic, 1_500, true), interface(2, XdpMode::Generic, 1_500, true)];
        let via =
            |number: usize| Location::ViaNextHop { interface: all[number].index, source: all[number].mac.unwrap() };
        let [shortest, explicit] = [Form::Shortest, Form::Explicit].map(|form| Egress::with(&all[..1], form, |_| true));
        assert_eq!(shortest.carried(Location::SamePort), Some(Location::SamePort));
        assert_eq!(explicit.carried(Location::SamePort), Some(via(0)));
        assert_eq!(shortest.carried(via(0)), Some(Location::SamePort));
        assert_eq!(shortest.carried(via(1)), None);
        let both = Egress::with(&all, Form::Shortest, |_| true);
        assert_eq!(both.carried(via(1)), Some(via(1)));
        assert_eq!(both.carried(Location::SamePort), None);
    }
}
