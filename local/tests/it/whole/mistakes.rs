//! What a person gets wrong when starting: it ends at once, and says what is wrong and what to do.

use std::{
    net::TcpListener,
    process::{Command, Stdio},
};

use super::folder::Folder;

/// What `serve` says with these arguments; it does not start.
fn refused(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_local"));
    let output = command
        .arg("serve")
        .args(arguments)
        .stdin(Stdio::null())
        .env_remove("DATABASE_URL")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && output.stdout.is_empty(), "{said}");
    let problem: Vec<_> = said.lines().filter(|line| line.contains("error: ")).collect();
    assert_eq!(problem.len(), 1, "{said}");
    problem[0].to_owned()
}

#[test]
fn a_start_that_cannot_be_says_why_and_what_to_do() {
    let folder = Folder::new("mistakes");
    std::fs::create_dir(&folder.0).unwrap();
    let file = folder.0.join("file");
    std::fs::write(&file, "").unwrap();
    let below = file.join("data");
    // No function is run, so none need be built: it is enough that they are there.
    let binaries = folder.0.join("binaries");
    std::fs::create_dir(&binaries).unwrap();
    for name in ["broadcaster", "dialpad", "migrator", "processor", "rest", "webhook", "websocket"] {
        std::fs::write(binaries.join(name), "").unwrap();
    }
    let [folder, file, below, binaries] =
        [&folder.0, &file, &below, &binaries].map(|path| path.to_str().unwrap());
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let free = ["--port", "0", "--aws-port", "0", "--dialpad-port", "0"];

    let cases: [(&[&str], &[&str]); 8] = [
        (&["--port", &port], &["is taken", "choose another one with --port"]),
        (&["--port", "0", "--aws-port", &port], &["is taken", "choose another one with --aws-port"]),
        (&["--data", file], &["cannot write to", file, "with --data"]),
        (&["--data", below], &["cannot write to", below, "with --data"]),
        (&["--ephemeral", "--pg-bin-dir", folder], &["no working `initdb`", folder, "set DATABASE_URL"]),
        (
            &["--database-url", "postgres://me:hunter2@127.0.0.1:1/cti"],
            &["--database-url (cti on 127.0.0.1, port 1)", "refused", "a private Postgres"],
        ),
        (
            &["--ephemeral", "--parameter", "Nope=1"],
            &["parameter Nope", "it has AlarmEmail", "EventLogRetentionDays"],
        ),
        (&["--ephemeral", "--template", below], &["reading", below]),
    ];
    for (arguments, told) in cases {
        let is_about_ports = arguments.contains(&port.as_str());
        let ports: &[&str] = if is_about_ports { &[] } else { &free };
        let all = [arguments, ports, &["--bin-dir", binaries]].concat();
        let said = refused(&all);
        for part in told {
            assert!(said.contains(part), "{part:?} is not in {said:?}");
        }
        assert!(!said.contains("hunter2"), "{said}");
    }
    let said = refused(&[&["--ephemeral", "--bin-dir", folder][..], &free].concat());
    assert!(said.contains("there is no") && said.contains("leave --bin-dir out"), "{said}");
}
