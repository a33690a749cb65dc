use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::*;
use crate::{
    config::model::State::{self, Down, Up},
    observe::testing::{ServiceSpec, reading},
};

fn sampled(before: &[ServiceSpec<'_>], now: &[ServiceSpec<'_>]) -> Sampler {
    let start = Instant::now();
    let mut sampler = Sampler::default();
    sampler.take(Ok(reading(start, 0, before)));
    sampler.take(Ok(reading(start, 2, now)));
    sampler
}

fn page(sampler: &Sampler, view: &View, query: &str) -> Value {
    serde_json::to_value(status("default", sampler, view, &PageQuery::parse(query))).unwrap()
}

const BEFORE: &[ServiceSpec<'_>] = &[("web", &[(Up, 1, 0), (Up, 1, 0), (Down, 1, 0)]), ("dns", &[(Up, 1, 0)])];
const NOW: &[ServiceSpec<'_>] = &[("web", &[(Up, 1, 60), (Up, 1, 20), (Down, 1, 0)]), ("dns", &[(Up, 1, 100)])];

#[test]
fn the_page_gets_figures_rates_and_spread() {
    let page = page(&sampled(BEFORE, NOW), &View::default(), "open=web");
    assert_eq!(page["error"], Value::Null);
    assert_eq!(page["outcomes"][0]["rate"], json!({"packets": 90.0, "bytes": 9000.0}));
    let web = &page["services"]["rows"][0];
    assert_eq!(
        (&web["name"], &web["packets"], &web["rate"]["packets"], &web["imbalance"], &web["up"], &web["of"]),
        (&json!("web"), &json!(80), &json!(40.0), &json!(1.5), &json!(2), &json!(3))
    );
    let down = &web["servers"]["rows"][2];
    assert_eq!((&down["address"], &down["state"], &down["check"]), (&json!("10.0.0.13"), &json!("down"), &Value::Null));
    assert_eq!(page["services"]["rows"][1]["servers"], Value::Null, "it is not open");
}

#[test]
fn limits_and_groups_come_from_the_json() {
    let page = page(&sampled(BEFORE, NOW), &View::default(), "open=web");
    let servers = &page["services"]["rows"][0]["servers"];
    assert_eq!(
        (&page["services"]["limit"], &servers["limit"], &servers["max_limit"]),
        (&json!(50), &json!(100), &json!(1_000))
    );
    for outcome in page["outcomes"].as_array().unwrap() {
        let (name, group) = (outcome["name"].as_str().unwrap(), outcome["group"].as_str().unwrap());
        assert!(HTML.contains(&format!("{group}: [0, 0]")), "the page has no tile for {group}");
        assert!(!HTML.contains(&format!("\"{name}\"")), "the page decides by the outcome {name}");
    }
}

#[test]
fn services_are_filtered_and_ordered() {
    let sampler = sampled(BEFORE, NOW);
    let names = |query: &str| -> Vec<String> {
        let page = page(&sampler, &View::default(), query);
        let rows = page["services"]["rows"].as_array().unwrap();
        rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(""), ["web", "dns"]);
    assert_eq!(names("sort=name"), ["dns", "web"]);
    assert_eq!(names("sort=traffic"), ["dns", "web"]);
    assert_eq!(names("sort=imbalance"), ["web", "dns"]);
    assert_eq!(names("sort=down"), ["web", "dns"]);
    assert_eq!(names("filter=DN"), ["dns"]);
    assert_eq!(names("filter=10.0.0.12"), ["web"]);
    assert_eq!(names("filter=down"), ["web"]);
    assert_eq!(names("filter=%3Cnothing%3E"), [""; 0]);
    assert_eq!(names("offset=1000&what=ever"), ["web", "dns"], "beyond the end is the last page");
}

#[test]
fn long_lists_are_sent_in_pages() {
    let servers: Vec<(State, u32, u64)> = vec![(Up, 1, 0); 5_000];
    let names: Vec<_> = (0..1_000).map(|number| format!("s{number:03}")).collect();
    let services: Vec<ServiceSpec<'_>> = names.iter().map(|name| (name.as_str(), &servers[..5])).collect();
    let mut services = services.clone();
    services[7].1 = &servers;
    let sampler = sampled(&services, &services);
    let page = |query| page(&sampler, &View::default(), query);
    let first = page("");
    assert!(first.to_string().len() < 64_000, "{}", first.to_string().len());
    let of = |page: &Value| {
        (
            page["services"]["total"].clone(),
            page["services"]["offset"].clone(),
            page["services"]["rows"][0]["name"].clone(),
        )
    };
    assert_eq!(of(&page("offset=975")), (json!(1_000), json!(950), json!("s950")));
    let rows = |query| page(query)["services"]["rows"][7]["servers"]["rows"].as_array().unwrap().len();
    assert_eq!(
        (rows("open=s007"), rows("open=s007&servers=1000"), rows("open=s007&servers=99999")),
        (100, 1_000, 1_000)
    );
}

#[test]
fn events_are_the_agents_if_an_agent_runs() {
    let mut sampler = sampled(BEFORE, NOW);
    let mut standby = reading(Instant::now() + Duration::from_secs(3), 3, NOW);
    standby.status.state = crate::output::Activity::Standby;
    sampler.take(Ok(standby));
    assert_eq!(page(&sampler, &View::default(), "")["events"][0]["text"], "now standby");
    let mut view = View { started: Some(std::time::SystemTime::now()), ..View::default() };
    view.note(Level::Info, "one");
    view.note(Level::Error, "two");
    let page = page(&sampler, &view, "");
    assert_eq!((&page["events"][0]["text"], &page["events"][0]["level"]), (&json!("two"), &json!("error")));
    assert_eq!(page["agent"]["publishes"], 0);
}

#[test]
fn without_an_instance_the_page_gets_the_error() {
    let mut sampler = sampled(BEFORE, NOW);
    sampler.take(Err(anyhow::anyhow!("it is gone")));
    let page = page(&sampler, &View::default(), "");
    assert_eq!((&page["error"], &page["events"][0]["text"]), (&json!("it is gone"), &json!("it is gone")));
    assert!(page.get("services").is_none());
}
