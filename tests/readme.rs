//! What the README claims.

use std::collections::BTreeSet;

use crate::support::{fixture, stdout};

fn readme() -> String {
    std::fs::read_to_string(fixture("../README.md")).unwrap()
}

/// The list of layers is the table in the code. `UPDATE=1` writes it.
#[test]
fn layers_are_those_of_the_code() {
    let text = readme();
    let (before, rest) = text.split_once("this list against the code -->\n").unwrap();
    let (list, after) = rest.split_once("<!-- end -->").unwrap();
    let names: Vec<String> =
        keras_model::layers::CLASSES.iter().map(|c| format!("`{c}`")).collect();
    let expected = format!("\n{}.\n\n", names.join(", "));
    if std::env::var_os("UPDATE").is_some() {
        let text = format!("{before}this list against the code -->\n{expected}<!-- end -->{after}");
        std::fs::write(fixture("../README.md"), text).unwrap();
        return;
    }
    let found: BTreeSet<&str> = list.split('`').skip(1).step_by(2).collect();
    let classes: BTreeSet<&str> = keras_model::layers::CLASSES.iter().copied().collect();
    assert_eq!(found, classes);
}

/// The first command prints the table that stands below it.
#[test]
fn the_first_command_does_what_it_shows() {
    let text = readme();
    let command = text.split_once("cargo run --release -- ").unwrap().1.lines().next().unwrap();
    let arguments = command.split(' ').map(|a| match a.strip_prefix("fixtures/") {
        Some(path) => fixture(path).display().to_string(),
        None => a.to_owned(),
    });
    let printed = stdout(arguments.chain(["--width".to_owned(), "80".to_owned()]));
    let shown = text.split_once("```text\n").unwrap().1.split_once("...\n```").unwrap().0;
    assert!(printed.starts_with(shown), "{printed}");
}

/// Every command of the table is one of the program's, and the other way round.
#[test]
fn commands_are_those_of_the_program() {
    let help = stdout(["--help"]);
    let text = readme();
    let table = text.split_once("## The command").unwrap().1.split_once("\n\n`MODEL`").unwrap().0;
    for row in table.lines().filter(|l| l.starts_with("| `")) {
        let command = row.split('`').nth(1).unwrap().split(' ').next().unwrap();
        assert!(help.contains(&format!("\n  {command} ")), "{command} is not in\n{help}");
    }
    let commands = help.split_once("Commands:\n").unwrap().1.split_once("\n\n").unwrap().0;
    for line in commands.lines().filter(|l| l.starts_with("  ") && !l.starts_with("   ")) {
        let command = line.split_whitespace().next().unwrap();
        assert!(command == "help" || table.contains(&format!("`{command} ")), "{command}");
    }
}
