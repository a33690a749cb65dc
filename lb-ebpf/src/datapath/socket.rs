//! Whether this host holds a connection.
//!
//! Trap: `bpf_sk_lookup_tcp` answers with the listener for a connection in SYN_RECV, and finds none in FIN_WAIT2 or
//! TIME_WAIT. `bpf_skc_lookup_tcp` (Linux 5.2) sees them all. Whatever it finds must be released on every path.

use aya_ebpf::{
    bindings::bpf_sock,
    helpers::{bpf_sk_release, bpf_skc_lookup_tcp, bpf_skc_to_tcp_request_sock, bpf_tcp_check_syncookie},
};
use lb_common::{flow::Flow, keep::UNKNOWN_ISN, outcome::Outcome};
use lb_ebpf::{
    headers::Tcp,
    packet::{Context, Packet, load},
    parse::Offsets,
};

use super::{maps, network::Network};

/// The kernel's `TCP_LISTEN`.
const LISTEN: u32 = 10;

/// The kernel's `TCP_NEW_SYN_RECV`: it has sent a SYN-ACK.
const NEW_SYN_RECV: u32 = 12;

/// As id of a network namespace, the kernel's `BPF_F_CURRENT_NETNS`: that of the interface.
pub const INTERFACES_NETNS: u64 = u64::MAX;

/// Whether a socket in a network namespace has the connection; `segment` is the offset of the packet's TCP header,
/// whose presence is known, or [`Offsets::QUOTED`].
///
/// A listener alone has none, but if the packet acknowledges a SYN cookie of its own, it has the connection soon.
#[inline(always)]
pub fn is_held<A: Network>(
    packet: &Packet<impl Context>,
    flow: &Flow<A>,
    netns: u64,
    offset: usize,
    segment: usize,
) -> bool {
    let mut tuple = A::tuple(flow);
    // SAFETY: the tuple has the size that the kernel is told.
    let socket = unsafe {
        let tuple = (&raw mut tuple).cast();
        bpf_skc_lookup_tcp(packet.context().cast(), tuple, size_of::<A::Tuple>() as u32, netns, 0)
    };
    if socket.is_null() {
        return false;
    }
    // SAFETY: not null.
    let state = unsafe { (&raw const (*socket).state).read_volatile() };
    let held = match (state, segment) {
        (LISTEN, Offsets::QUOTED) => false,
        (LISTEN, _) => is_cookie::<A>(socket, packet, offset, segment),
        (NEW_SYN_RECV, 1..) => acknowledges(socket, packet, segment),
        _ => true,
    };
    // SAFETY: it is released once.
    unsafe { bpf_sk_release(socket.cast()) };
    held
}

/// Whether the TCP segment at `offset` opens a connection.
#[inline(always)]
pub fn opens(packet: &Packet<impl Context>, offset: usize) -> Result<bool, Outcome> {
    let flags: u8 = load(&packet.header::<Tcp>(offset)?.flags);
    Ok(flags & (Tcp::SYN | Tcp::ACK | Tcp::RST) == Tcp::SYN)
}

/// Whether the segment acknowledges the SYN-ACK that this host has sent.
///
/// After a change, a client may have sent its SYN to two servers, one after the other, and have got the SYN-ACK of
/// either. The other server's kernel would answer with RST.
#[inline(always)]
fn acknowledges(socket: *mut bpf_sock, packet: &Packet<impl Context>, segment: usize) -> bool {
    // Such a kernel refuses the helper.
    if maps::sent_isn() == UNKNOWN_ISN as u64 {
        return true;
    }
    let Ok(tcp) = packet.header::<Tcp>(segment) else { return true };
    let (flags, acknowledged): (u8, u32) = (load(&tcp.flags), load(&tcp.acknowledgement));
    if flags & (Tcp::ACK | Tcp::RST) != Tcp::ACK {
        return true;
    }
    // SAFETY: a helper that only looks at the socket.
    let request = unsafe { bpf_skc_to_tcp_request_sock(socket.cast()) };
    if request.is_null() {
        return true;
    }
    // SAFETY: the kernel has the field there, as user space has read in its types.
    let sent: u32 = unsafe { request.cast::<u8>().add(maps::sent_isn() as usize).cast::<u32>().read_volatile() };
    u32::from_be(acknowledged) == sent.wrapping_add(1)
}

/// Whether the segment acknowledges a SYN cookie of the listener.
#[inline(always)]
fn is_cookie<A: Network>(
    listener: *mut bpf_sock,
    packet: &Packet<impl Context>,
    offset: usize,
    segment: usize,
) -> bool {
    let Ok(ip) = packet.header::<A::Header>(offset) else { return false };
    let Ok(tcp) = packet.header::<Tcp>(segment) else { return false };
    let (ip, tcp) = ((&raw const *ip).cast_mut(), (&raw const *tcp).cast_mut());
    // SAFETY: both headers have the sizes that the kernel is told; it only reads them.
    let checked = unsafe {
        bpf_tcp_check_syncookie(
            listener.cast(),
            ip.cast(),
            size_of::<A::Header>() as u32,
            tcp.cast(),
            size_of::<Tcp>() as u32,
        )
    };
    checked == 0
}
