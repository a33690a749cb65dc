//! `modlb replay`.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use anyhow::{Context as _, Result, bail, ensure};
use lb_common::table::Counter;

use super::input;
use crate::{
    cli::Replay,
    config::model::Role,
    output::{
        ChangeView, CutView, JudgedView, MovesView, OutcomesView, ReplayServer, ReplayService, ReplayView, Traffic,
        print,
    },
    replay::{
        Change, Method, Moves, Progress, ReplayStats, Replayed, Scenario, ServerLoad, Setting, capture::Capture,
        most_frequent, replay,
    },
};

pub fn run(options: &Replay) -> Result<()> {
    let mut setting = setting(options)?;
    let found = setting.own_macs.is_empty();
    if found {
        let (capture, size) = open(&options.file)?;
        if size.is_none() {
            let file = options.file.display();
            bail!(
                "{file} can be read only once; say with --own-mac which frames are the balancer's, or store it in a file"
            );
        }
        let mut progress = Progress::new("looking for the balancer's MAC", size);
        setting.own_macs = most_frequent(&setting, capture, &mut progress).into_iter().collect();
    }
    let method = if options.without_kernel { Method::Host } else { Method::Kernel };
    let (capture, size) = open(&options.file)?;
    let Replayed { stats, by_kernel, error } =
        replay(&setting, method, capture, &mut Progress::new("replaying", size))?;
    let file = options.file.display().to_string();
    let mut view = ReplayView {
        file: file.clone(),
        judged_by: judged(&stats, by_kernel),
        own_macs: setting.own_macs.iter().map(ToString::to_string).collect(),
        own_macs_found: found,
        total: stats.frames.into(),
        cut: CutView { judged: stats.filled.into(), undecided: stats.undecided.into() },
        error: error.as_ref().map(ToString::to_string),
        outcomes: OutcomesView::new(|outcome| stats.outcomes[outcome.index() as usize].into()),
        services: services(&setting, &stats),
        worst: None,
        changes: setting.scenarios.iter().zip(&stats.moves).map(|(other, moves)| change(other, moves)).collect(),
    };
    view.conclude();
    print(&view, options.format.json)?;
    match error {
        Some(error) => Err(error).context(file),
        None => Ok(()),
    }
}

/// How many frames the kernel and the host judged.
fn judged(stats: &ReplayStats, kernel: Counter) -> JudgedView {
    let ReplayStats { frames, undecided, .. } = stats;
    let host = Counter {
        packets: frames.packets - undecided.packets - kernel.packets,
        bytes: frames.bytes - undecided.bytes - kernel.bytes,
    };
    JudgedView { kernel: kernel.into(), host: host.into() }
}

fn setting(options: &Replay) -> Result<Setting> {
    let config = input::read(&options.config)?;
    ensure!(
        config.role == Role::Balancer,
        "{}: role {} cannot be replayed; only that of a balancer can",
        options.config.display(),
        config.role.name()
    );
    let downs = options.down.iter().map(|server| Scenario::down(&config, *server));
    let mut scenarios = downs.collect::<Result<Vec<_>, _>>()?;
    if let Some(file) = &options.against {
        scenarios.push(Scenario::against(file.display().to_string(), input::read(file)?));
    }
    Ok(Setting { config, own_macs: options.own_mac.clone(), own_addresses: options.own_address.clone(), scenarios })
}

/// A capture file or standard input.
type Input = Box<dyn Read>;

/// A capture, and its size if it can be read again; `-` is standard input.
fn open(path: &Path) -> Result<(Capture<Input>, Option<u64>)> {
    let (input, size): (Input, _) = if path == Path::new("-") {
        (Box::new(io::stdin()), None)
    } else {
        let file = File::open(path).with_context(|| path.display().to_string())?;
        let about = file.metadata().with_context(|| path.display().to_string())?;
        (Box::new(file), about.is_file().then_some(about.len()))
    };
    Ok((Capture::new(input).with_context(|| path.display().to_string())?, size))
}

fn services(setting: &Setting, stats: &ReplayStats) -> Vec<ReplayService> {
    let services = setting.config.services.iter().zip(&stats.services);
    let service = services.map(|(service, counted)| {
        let servers = service.servers.iter().zip(&counted.servers);
        let servers: Vec<_> = servers
            .map(|(server, ServerLoad { total, flows })| ReplayServer {
                address: server.address,
                state: server.state.name(),
                weight: server.weight,
                total: (*total).into(),
                flows: *flows,
                share: 0.0,
                fair_share: 0.0,
            })
            .collect();
        let sum = |figure: fn(&ReplayServer) -> u64| servers.iter().map(figure).sum();
        ReplayService {
            name: service.name.clone(),
            target: service.target(),
            total: Traffic { packets: sum(|server| server.total.packets), bytes: sum(|server| server.total.bytes) },
            flows: sum(|server| server.flows),
            imbalance: None,
            servers,
        }
    });
    service.collect()
}

fn change(scenario: &Scenario, moves: &Moves) -> ChangeView {
    let Moves { of, moved, moved_of_others, unserved, taken_anew } = *moves;
    let (down, against) = match &scenario.change {
        Change::Down(server) => (Some(*server), None),
        Change::Against(file) => (None, Some(file.clone())),
    };
    let view = |[all, moved, moved_of_others, unserved]: [u64; 4]| MovesView { all, moved, moved_of_others, unserved };
    let figures = [of, moved, moved_of_others, unserved];
    ChangeView {
        down,
        against,
        flows: view(figures.map(|figure| figure.flows)),
        packets: view(figures.map(|figure| figure.packets)),
        packets_taken_anew: taken_anew,
    }
}
