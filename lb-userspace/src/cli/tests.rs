use clap::CommandFactory as _;

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

#[test]
fn the_command_line_definition_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_shows_an_example() {
    fn check(mut command: clap::Command, path: &str) {
        let help = command.render_long_help().to_string();
        assert!(help.contains("Example"), "{path} --help shows no example");
        for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
            check(inner.clone(), &format!("{path} {}", inner.get_name()));
        }
    }
    check(Cli::command(), "modlb");
}

#[test]
fn examples_parse() {
    fn check(command: &clap::Command, seen: &mut u32) {
        let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        for line in text.lines().filter(|line| line.starts_with("  ")).filter_map(|line| line.split("modlb ").nth(1)) {
            let line = line.split(['|', '>', '<', '#']).next().unwrap().replace('\'', "");
            parse(&format!("modlb {line}")).unwrap_or_else(|error| panic!("{line}: {error}"));
            *seen += 1;
        }
        command.get_subcommands().for_each(|inner| check(inner, seen));
    }
    let mut seen = 0;
    check(&Cli::command(), &mut seen);
    assert!(seen >= 25, "only {seen} examples found");
}

#[test]
fn global_options_may_stand_anywhere() {
    let cli = parse("modlb status --json -n blue --instance edge-1 -vv").unwrap();
    assert_eq!(
        (cli.global.netns.as_deref(), cli.global.instance.as_str(), cli.global.verbose),
        (Some("blue"), "edge-1", 2)
    );
    assert!(matches!(cli.command, Command::Status(Status { format: Format { json: true }, expect_digest: None, .. })));
    assert_eq!(parse("modlb status").unwrap().global.instance, "default");
}

#[test]
fn only_existing_roles_are_accepted() {
    for role in ["balancer", "member", "steer"] {
        assert!(parse(&format!("modlb attach eth0 --role {role}")).is_ok(), "{role}");
    }
    assert!(parse("modlb attach eth0 --role router").is_err());
}

#[test]
fn nonsense_is_refused() {
    for line in [
        "modlb",
        "modlb apply",
        "modlb server up web",
        "modlb server up web server1",
        "modlb server up web 10.0.0.1 --weight 2",
        "modlb server add web 10.0.0.1 --weight 0",
        "modlb server add web 10.0.0.1 --mac 02:00",
        "modlb server add web 10.0.0.1 --vlan 4095",
        "modlb server add web 10.0.0.1 --vlan -1",
        "modlb attach --max-services 0",
        "modlb --instance .. status",
        "modlb status --watch 1",
    ] {
        assert_eq!(parse(line).map(drop).map_err(|error| error.exit_code()), Err(2), "{line}");
    }
}

#[test]
fn a_dash_is_accepted_as_a_file() {
    let Command::Apply(apply) = parse("modlb apply - --dry-run").unwrap().command else { panic!("not apply") };
    assert_eq!((apply.file.to_str(), apply.dry_run, apply.format.json), (Some("-"), true, false));
}
