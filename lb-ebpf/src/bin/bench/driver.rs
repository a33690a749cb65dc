//! Makes packets and hands them to the programs that are measured.

use aya_ebpf::{
    EbpfContext,
    bindings::BPF_F_MMAPABLE,
    btf_maps::{Array, ProgramArray},
    macros::btf_map,
};
use lb_common::outcome::Outcome;
use lb_ebpf::{
    load::Load,
    packet::{Context, Packet, Wire, store},
};

const MMAPABLE: usize = BPF_F_MMAPABLE as usize;

/// The furthest offset that the driver writes to: the verifier must see a bound.
const LONGEST: usize = 0xff;

/// What the driver writes at the frame's start.
#[repr(C)]
struct Start {
    head: [u8; 8],
    tail: [u8; 4],
}

// SAFETY: all of its fields are bytes.
unsafe impl Wire for Start {}

/// Programs that a driver can call.
pub type Programs = ProgramArray<256>;

/// What the drivers write, and which program they call.
#[btf_map]
static LOAD: Array<Load, 1, MMAPABLE> = Array::new();

/// Makes the next packet and hands it to one of `programs`. Returns only if that cannot be done.
#[inline(always)]
pub fn hand_over(packet: &mut Packet<impl Context>, context: &impl EbpfContext, programs: &Programs) {
    let Some(load) = LOAD.get_ptr_mut(0) else { return };
    // SAFETY: the pointer is to a live value, and one run at a time touches it.
    let load = unsafe { &mut *load };
    if make(packet, load).is_ok() {
        // SAFETY: nothing here needs to be dropped. If there is no program, the call returns.
        unsafe { programs.tail_call(context, load.program) };
    }
}

/// Writes the next packet's addresses.
#[inline(always)]
fn make(packet: &mut Packet<impl Context>, load: &mut Load) -> Result<(), Outcome> {
    // Marsaglia's xorshift, 2003: fast, and without a pattern that branch prediction or caches could follow.
    let mut random = load.random;
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    load.random = random;
    let client = (((random >> 32) as u32 & load.clients) as u16).to_be() as u64;
    let service = (((random >> 48) as u32 & load.services) as u16).to_be() as u64;

    let mut start = packet.header_mut::<Start>(0)?;
    store(&mut start.head, load.head);
    store(&mut start.tail, load.tail);
    for write in &load.writes {
        if write.offset == 0 {
            break;
        }
        let mut words = packet.header_mut::<[u8; 8]>(write.offset as usize & LONGEST)?;
        store(&mut *words, write.base + client * write.client + service * write.service);
    }
    Ok(())
}
