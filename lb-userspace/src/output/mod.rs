//! What reading commands print: views, as JSON and as text.
//!
//! Programs rely on the JSON; tests pin its shape. The text is for people and may change.
//!
//! A view is a struct of public fields: serde makes its JSON, [`Render`] its text.

pub use self::{
    counters::{OutcomesView, ServerStats, ServiceStats, StatsView, Traffic},
    doctor::DoctorView,
    print::{emit, emit_line, error_text, print, print_error, print_text},
    rates::{Rate, Rates, ServiceRates, scaled},
    render::Render,
    replay::{ChangeView, CutView, JudgedView, MovesView, ReplayServer, ReplayService, ReplayView, WorstView},
    stats::StatsRates,
    status::{
        Activity, InterfaceView, MemberView, ServerRow, ServerView, ServersView, ServiceView, ServicesView, StatusView,
        UnconfirmedView,
    },
    trace::{TraceLines, TraceSummary, TraceView},
};

mod counters;
mod doctor;
mod explain;
mod print;
mod rates;
mod render;
mod replay;
mod stats;
mod status;
#[cfg(test)]
pub(crate) mod testing;
mod trace;
