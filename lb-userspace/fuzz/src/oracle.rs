//! The oracle's reading of frames, which shares no code with the datapath's.

#[expect(dead_code, reason = "some outcomes are not the parser's")]
#[path = "../../tests/oracle/outcome.rs"]
pub mod outcome;
#[path = "../../tests/oracle/packet.rs"]
pub mod packet;
