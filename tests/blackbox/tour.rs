//! The tour of README.md, executed as a newcomer would: block by block, in one shell.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::Duration,
};

use crate::support::{Server, root};

/// Where the README takes the server to be.
const ADDRESS: &str = "http://127.0.0.1:8080";

/// What the shell says after each block.
const MARK: &str = "--- that was the block ---";

/// How long one block may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(200);

/// What a block of the tour asks a newcomer to do.
#[derive(Debug, PartialEq)]
enum Block {
    /// Commands for the shell.
    Commands(String),
    /// To kill the server and start it again.
    Kill,
}

/// The folder of the workspace.
/// The blocks of the section of a text whose heading names a tour.
fn blocks(text: &str) -> Vec<Block> {
    let sections = text.split("\n## ");
    let mut tour = sections.filter(|section| section.starts_with("A tour"));
    let tour = tour.next().expect("the README has a tour");
    let fenced = tour.split("\n```").skip(1).step_by(2);
    fenced
        .map(|block| {
            let (language, body) = block.split_once('\n').unwrap();
            match language {
                "sh" => Block::Commands(body.to_owned()),
                "console" if body.contains("-9 -x archesai") => Block::Kill,
                _ => panic!("nobody knows what to do with the block `{language}`: {body}"),
            }
        })
        .collect()
}

/// A shell that stops at the first command that fails.
struct Shell {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Shell {
    fn start() -> Self {
        let mut command = Command::new("bash");
        command
            .args(["--noprofile", "--norc"])
            .env("no_proxy", "*")
            .current_dir(root())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let child = command.spawn();
        let mut child = child.expect("the tour takes bash, which cannot be started");
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                _ = sender.send(line);
            }
        });
        let input = child.stdin.take().unwrap();
        let mut shell = Self {
            child,
            input,
            lines,
        };
        shell.run("set -euo pipefail\nexec 2>&1");
        for program in ["curl", "python3"] {
            shell.run(&format!(
                "command -v {program} || {{ echo 'the tour takes {program}, which is not installed'; exit 1; }}"
            ));
        }
        shell
    }

    /// Runs commands, and answers what they print.
    fn run(&mut self, commands: &str) -> String {
        // In braces, the commands cannot take what follows for their input.
        let script = format!("{{\n{commands}\n}} </dev/null\nprintf '\\n%s\\n' '{MARK}'\n");
        self.input.write_all(script.as_bytes()).unwrap();
        let mut output = String::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line == MARK => return output,
                Ok(line) => {
                    output += &line;
                    output.push('\n');
                }
                Err(RecvTimeoutError::Timeout) => {
                    panic!("silence for {PATIENCE:?} from:\n{commands}\nIt said:\n{output}")
                }
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("a command failed in:\n{commands}\nIt said:\n{output}")
                }
            }
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// What a newcomer must see: commands that are in one block, and words that follow it.
const SEEN: &[(&str, &[&str])] = &[
    ("/v1/users/me | show", &["\"email\": \"ada@example.com\""]),
    (
        "/v1/invitations/accept",
        &[
            "grace@example.com",
            "\"role\": \"member\"",
            "\"role\": \"owner\"",
        ],
    ),
    (
        "seattle-weather.csv",
        &[
            "constitution.docx",
            "fhs-3.0.pdf",
            "sql-vacuum.html",
            "social-contract.txt",
        ],
    ),
    (
        "show <<<\"$PAGE\"",
        &["\"name\": \"constitution.docx\"", "\nseattle-weather.csv\n"],
    ),
    ("-r 3-44", &["Version 1.2 ratified on October 1st, 2022"]),
    ("DEFINITION='{", &["\"valid\": true", "\"errors\": []"]),
    (
        "spilt",
        &[
            "\"valid\": false",
            "\"pointer\": \"/definition/steps/2/with/texts\"",
            "there is no step `spilt`",
        ],
    ),
    (
        "\"Make it searchable\"",
        &[
            "\"status\":\"queued\"",
            "\"progress\":25.0",
            "\"progress\":100.0",
            "\"status\":\"succeeded\"",
        ],
    ),
    (
        "/logs",
        &[
            "\"passages\": ",
            "\"max_chars\": 600",
            "\"message\": \"extracted ",
        ],
    ),
    (
        "supermajority",
        &["constitution.docx | ", "social-contract.txt | "],
    ),
    ("/cancel", &["cancelled"]),
    (
        "get /v1/runs/$RUN | field status",
        &["\"progress\":100.0", "\nsucceeded\n"],
    ),
    (
        "\"nightly report\"",
        &["the API key lacks the scope workflows:run", "(refused"],
    ),
    ("/v1/auth/logout", &["\"current\": true", "(signed out)"]),
];

/// Holds what a block printed against what a newcomer must see of it.
fn check(block: &str, output: &str) {
    for (commands, words) in SEEN {
        if !block.contains(commands) {
            continue;
        }
        for word in *words {
            assert!(
                output.contains(word),
                "no {word:?} after:\n{block}\nIt said:\n{output}"
            );
        }
    }
}

#[test]
fn the_tour_goes_as_the_readme_says() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let blocks = blocks(&readme);
    for (commands, _) in SEEN {
        let known =
            |block: &Block| matches!(block, Block::Commands(block) if block.contains(commands));
        assert!(blocks.iter().any(known), "the tour has no `{commands}`");
    }
    // Whoever reads the tour waits longer for a lease to end.
    let mut server = Server::with(&[("STEP_LEASE", "4s")]);
    let mut shell = Shell::start();
    for block in blocks {
        match block {
            Block::Commands(commands) => {
                let output = shell.run(&commands.replace(ADDRESS, &server.url));
                println!("{commands}\n{output}");
                check(&commands, &output);
            }
            Block::Kill => {
                server.kill();
                server.restart();
                shell.run(&format!("ARCHESAI={}", server.url));
            }
        }
    }
}

#[test]
fn blocks_are_taken_from_the_tour_alone() {
    let text = "# A\n```sh\nno\n```\n\n## A tour\n\n```sh\none\ntwo\n```\n\n### On\n\n```console\n$ pkill -9 -x archesai\n```\n\n## B\n\n```sh\nno\n```\n";
    let one = Block::Commands("one\ntwo".to_owned());
    assert_eq!(blocks(text), [one, Block::Kill]);
}

#[test]
#[should_panic(expected = "a command failed in:")]
fn a_command_that_fails_ends_the_tour() {
    Shell::start().run("true\nfalse | true\necho not reached");
}
