//! The oracle's parser of frames, which shares no code with the datapath's.

#[expect(dead_code, reason = "the parser does not use all outcomes")]
#[path = "../../tests/oracle/outcome.rs"]
pub mod outcome;
#[expect(dead_code, reason = "what judges members is not used")]
#[path = "../../tests/oracle/packet.rs"]
pub mod packet;
