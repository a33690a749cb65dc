//! What reading commands print: views, as JSON and as text.
//!
//! Programs rely on the JSON; tests pin its shape. The text is for people and may change.
//!
//! A view is a struct of public fields: serde makes its JSON, [`Render`] its text.

pub use self::{
    agent::{AgentView, FileState, NotInForce},
    capacity::{CapacityView, UseView},
    connections::{ConnectionsView, CountedView, LeftView, ServerConnections, ServiceConnections, StatesView},
    counters::{OutcomesView, ServerStats, ServiceStats, StatsView, Traffic},
    doctor::DoctorView,
    pipe::{Patient, end_waits_on, is_ended},
    print::{change_lines, emit, emit_line, error_text, print, print_error, print_text},
    rates::{Rate, Rates, ServiceRates, scaled},
    render::Render,
    replay::{ChangeView, CutView, JudgedView, MovesView, ReplayServer, ReplayService, ReplayView, WorstView},
    stats::StatsRates,
    status::{
        Activity, InterfaceView, KeepView, MemberView, PeerView, ProofView, ServerRow, ServerView, ServersView,
        ServiceView, ServicesView, SocketsView, StatusView, TransitionView, UnconfirmedView,
    },
    trace::{TraceLines, TraceSummary, TraceView},
};

mod agent;
mod capacity;
mod connections;
mod counters;
mod doctor;
mod explain;
mod pipe;
mod print;
mod rates;
mod render;
mod replay;
mod stats;
mod status;
#[cfg(test)]
pub(crate) mod testing;
mod trace;
