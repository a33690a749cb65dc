//! Checks the commands in documents: each one exists.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow};
use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::markdown::{Kind, Literal};
use crate::tidy::{fault::Fault, tree::Tree};

/// The words that may follow a command, and what may follow those.
#[derive(Clone, Debug, Default)]
pub struct Commands(BTreeMap<String, Vec<String>>);

/// Options of `modlb` itself that take a value.
const WITH_VALUE: [&str; 3] = ["--netns", "-n", "--instance"];

impl Commands {
    /// Those of `modlb`, from the enumerations that clap reads.
    pub fn of_modlb(tree: &Tree) -> Result<Self> {
        let mut enumerations = BTreeMap::new();
        for (name, text) in tree.ending(".rs").filter(|(name, _)| name.starts_with("lb-userspace/src/cli/")) {
            let tokens: TokenStream = text.parse().map_err(|error| anyhow!("{name}: {error}"))?;
            read_enumerations(tokens, &mut enumerations);
        }
        let below = |held: &Option<String>| -> Vec<String> {
            let words = held.as_ref().and_then(|held| enumerations.get(held));
            words.into_iter().flatten().map(|variant| variant.word.clone()).collect()
        };
        let commands = enumerations.get("Command").into_iter().flatten();
        Ok(Self(commands.map(|variant| (variant.word.clone(), below(&variant.holds))).collect()))
    }

    /// Those of `cargo xtask`.
    pub fn of_xtask(names: &[String]) -> Self {
        Self(names.iter().map(|name| (name.clone(), Vec::new())).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is wrong with the words that follow; `None`: nothing.
    fn unknown(&self, words: &[&str]) -> Option<String> {
        let mut words = words.iter();
        let mut word = *words.next()?;
        while word.starts_with('-') {
            if WITH_VALUE.contains(&word) {
                words.next();
            }
            word = words.next()?;
        }
        let is_word = |word: &str| {
            word.starts_with(|c: char| c.is_ascii_lowercase())
                && word.chars().all(|c| c.is_ascii_lowercase() || c == '-')
        };
        if !is_word(word) || word == "help" {
            return None;
        }
        let Some(next) = self.0.get(word) else { return Some(word.to_owned()) };
        let second = words.next().filter(|second| !next.is_empty() && is_word(second))?;
        (!next.iter().any(|known| known == second)).then(|| format!("{word} {second}"))
    }
}

/// A command of clap's.
#[derive(Debug)]
struct Variant {
    word: String,
    /// The type in it: another enumeration, or options.
    holds: Option<String>,
}

/// All enumerations of a file that derive `Subcommand`.
fn read_enumerations(tokens: TokenStream, found: &mut BTreeMap<String, Vec<Variant>>) {
    let mut is_commands = false;
    let tokens: Vec<_> = tokens.into_iter().collect();
    for (number, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Group(attribute) if attribute.delimiter() == Delimiter::Bracket => {
                let text = attribute.to_string();
                is_commands |= text.contains("derive") && text.contains("Subcommand");
            }
            TokenTree::Ident(word) if word == "enum" && is_commands => {
                if let (Some(TokenTree::Ident(name)), Some(TokenTree::Group(body))) =
                    (tokens.get(number + 1), tokens.get(number + 2))
                {
                    found.insert(name.to_string(), variants(body.stream()));
                }
            }
            TokenTree::Group(_) => is_commands = false,
            TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

fn variants(tokens: TokenStream) -> Vec<Variant> {
    let mut variants: Vec<Variant> = Vec::new();
    let mut name = None;
    for token in tokens {
        match token {
            TokenTree::Group(attribute) if attribute.delimiter() == Delimiter::Bracket => {
                name = named(&attribute.to_string()).or(name);
            }
            TokenTree::Group(fields) if fields.delimiter() == Delimiter::Parenthesis => {
                let types = fields.stream().into_iter().filter_map(|token| match token {
                    TokenTree::Ident(word) => Some(word.to_string()),
                    TokenTree::Group(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => None,
                });
                if let Some(variant) = variants.last_mut() {
                    // `Box<T>`, `super::T` and `T` all hold a `T`.
                    variant.holds = types.last();
                }
            }
            TokenTree::Ident(word) => {
                let word = name.take().unwrap_or_else(|| kebab(&word.to_string()));
                variants.push(Variant { word, holds: None });
            }
            TokenTree::Group(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
    variants
}

/// What `#[command(name = "…")]` says.
fn named(attribute: &str) -> Option<String> {
    let (_, rest) = attribute.strip_prefix("[command")?.split_once("name = \"")?;
    Some(rest.split_once('"')?.0.to_owned())
}

/// As clap derives it.
fn kebab(name: &str) -> String {
    let mut word = String::new();
    for (number, character) in name.chars().enumerate() {
        if character.is_uppercase() && number > 0 {
            word.push('-');
        }
        word.extend(character.to_lowercase());
    }
    word
}

/// Commands that do not exist.
pub fn check(modlb: &Commands, xtask: &Commands, document: &str, literals: &[Literal<'_>]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for literal in literals.iter().filter(|literal| literal.kind != Kind::Link) {
        for (program, unknown) in unknown(modlb, xtask, literal) {
            let message = format!("there is no `{program} {unknown}`; {program} --help says what there is");
            faults.push(Fault::new(document, literal.line, message));
        }
    }
    faults
}

fn unknown<'a>(modlb: &Commands, xtask: &Commands, literal: &Literal<'_>) -> Vec<(&'a str, String)> {
    // What comes after `#` is said, not typed.
    let text = literal.text.split(" #").next().unwrap_or_default();
    // Columns are what a command prints.
    if literal.kind == Kind::Block && text.trim().contains("  ") {
        return Vec::new();
    }
    let words: Vec<_> =
        text.split_whitespace().map(|word| word.trim_end_matches([',', ';', '.', ':', ')', '\''])).collect();
    let mut unknown = Vec::new();
    for start in 0..words.len() {
        let is_typed = starts(&words[..start], literal.kind);
        if is_typed && is_program(words[start]) {
            unknown.extend(modlb.unknown(&words[start + 1..]).map(|unknown| ("modlb", unknown)));
        }
        if is_typed && words[start..].starts_with(&["cargo", "xtask"]) {
            unknown.extend(xtask.unknown(&words[start + 2..]).map(|unknown| ("cargo xtask", unknown)));
        }
    }
    unknown
}

/// `modlb`, `/usr/sbin/modlb`, `target/release/modlb`.
fn is_program(word: &str) -> bool {
    word == "modlb" || word.ends_with("/modlb")
}

/// Whether a command may start after these words.
fn starts(before: &[&str], kind: Kind) -> bool {
    match before.last() {
        None => true,
        Some(last) => {
            let follows =
                ["$", "sudo", "|", "&&", "||", "!", "then", "do", "exec"].contains(last) || last.ends_with("sudo");
            follows || (kind == Kind::Block && last.ends_with('`'))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::documents::markdown::literals;

    fn modlb() -> Commands {
        Commands::of_modlb(&Tree::of(&[
            (
                "lb-userspace/src/cli/mod.rs",
                "/// All.\n#[derive(Debug, Subcommand)]\npub enum Command {\n/// It.\n#[command(after_help = \"x\")]\nAttach(Box<Attach>),\n\
                 #[command(subcommand)] Server(Server), #[command(name = \"man\", hide = true)] Manual { a: u8 }, TopTen }\n\
                 #[derive(Debug)] enum Other { Gone }",
            ),
            ("lb-userspace/src/cli/server.rs", "#[derive(Subcommand)] pub enum Server { Up(Name), Down(Name) }"),
        ]))
        .unwrap()
    }

    fn faults(text: &str) -> Vec<String> {
        let xtask = Commands::of_xtask(&["test".to_owned(), "lint".to_owned()]);
        check(&modlb(), &xtask, "A.md", &literals(text)).into_iter().map(|fault| fault.message).collect()
    }

    #[test]
    fn commands_that_exist_are_fine() {
        for text in [
            "`modlb attach eth0` `modlb server down web` `modlb man` `modlb top-ten` `modlb --netns x -v attach` `modlb help`",
            "`cargo xtask test -- slots` `cargo xtask` `cargo xtask COMMAND` `modlb` `modlb COMMAND` `modlb --version`",
            "\n    $ sudo modlb attach eth0   # modlb gone\n    modlb 0.1.0 (ABI 5): balancer\n    NIC ─▶ modlb (XDP): service?\n",
            "\n    it says that modlb gone\n",
            "\n    modlb default  balancer  active  digest 588e2517d2e1540d\n",
            "plain modlb gone",
        ] {
            assert_eq!(faults(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn commands_that_do_not_exist_are_faults() {
        for (text, command) in [
            ("`modlb gone`", "modlb gone"),
            ("`modlb server gone web`", "modlb server gone"),
            ("`modlb --instance attach gone`", "modlb gone"),
            ("\n    cargo xtask lint && cargo xtask gone\n", "cargo xtask gone"),
            ("```\nsudo target/release/modlb gone\n```", "modlb gone"),
        ] {
            let faults = faults(text);
            let [fault] = &faults[..] else { panic!("{text}: {faults:?}") };
            assert!(fault.starts_with(&format!("there is no `{command}`; ")), "{fault}");
        }
    }
}
