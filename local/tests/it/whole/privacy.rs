//! What nobody may find in a log: people's numbers, names and words, keys and secrets, query strings.
//!
//! Whatever the tests of this folder do, and however it fails, what the functions print meanwhile is looked through when a
//! test ends.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    sync::{LazyLock, Mutex, PoisonError},
};

use local::simulate::Scenario;
use serde_json::Value;
use shared::clock::{Clock as _, SystemClock};

/// The members of payloads whose values say who somebody is, what was said, or where it can be heard.
const PRIVATE: [&str; 12] = [
    "name",
    "phone",
    "email",
    "from_number",
    "to_number",
    "external_number",
    "internal_number",
    "text",
    "transcription_text",
    "voicemail_link",
    "custom_data",
    "url",
];

/// What stands before a credential or in a query, and what all numbers of the tests have in common.
const MARKS: [&str; 11] = [
    "api_key=", "ticket=", "number=", "?code=", "&code=", "?state=", "&state=", "Bearer", "eyJ", "415555",
    "(415)",
];

/// Keys, tickets and secrets have that many letters and digits without a break; ids and traces have fewer.
const LONGEST: usize = 31;

/// Dialpad's sequences.
pub(super) fn samples() -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/tests/it/samples");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |path| serde_json::from_str::<Value>(&std::fs::read_to_string(path).unwrap()).unwrap();
    files.into_iter().map(read).filter_map(|file| file.as_array().cloned()).flatten().collect()
}

/// What is said in the payloads of the tests.
static WORDS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let mut words = BTreeSet::new();
    let now = SystemClock.now();
    let simulated = [Scenario::InboundAnswered, Scenario::Voicemail, Scenario::Outbound];
    let simulated = simulated.into_iter().flat_map(|scenario| scenario.payloads(now));
    simulated.chain(samples()).for_each(|payload| private(&payload, false, &mut words));
    assert!(words.len() > 20, "{words:?}");
    words
});

/// Every private text in a payload, digits alone for numbers.
fn private(value: &Value, is_private: bool, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                private(value, is_private || PRIVATE.contains(&name.as_str()), found);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| private(value, is_private, found)),
        Value::String(text) if is_private && text.len() > 7 => {
            found.insert(text.trim_start_matches('+').to_owned());
        }
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => {}
    }
}

/// What of this line nobody may see.
pub(super) fn leak(line: &str) -> Option<String> {
    let mut forbidden = MARKS.into_iter().chain(WORDS.iter().map(String::as_str));
    let credential = || line.split(|c: char| !c.is_ascii_alphanumeric()).find(|run| run.len() > LONGEST);
    forbidden.find(|text| line.contains(*text)).or_else(credential).map(str::to_owned)
}

/// Whether a line, if it is JSON, has what it says as members of its own.
fn is_flat(line: &str) -> bool {
    let json = line.split_once("] ").map_or(line, |(_, json)| json);
    serde_json::from_str::<Value>(json).map_or(true, |line| line.get("fields").is_none())
}

/// What the functions of a server print: a file that has no name any more once the server has opened it, since whoever
/// shares a server never drops it.
pub(crate) struct Printed {
    path: PathBuf,
    /// Read up to the end of the last whole line.
    file: Mutex<File>,
}

impl Printed {
    pub(super) fn new() -> Self {
        let path = std::env::temp_dir().join(format!("printed-{}.log", uuid::Uuid::new_v4()));
        let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        Self { path, file: Mutex::new(file) }
    }

    pub(super) fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }

    /// Takes the file's name away.
    pub(super) fn unlink(&self) {
        std::fs::remove_file(&self.path).unwrap();
    }

    /// Looks through what was added, unless the test has failed already.
    pub(super) fn look_through(&self) {
        if std::thread::panicking() {
            return;
        }
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = file.stream_position().unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        file.seek(SeekFrom::Start(begin + u64::try_from(whole).unwrap())).unwrap();
        for line in text[..whole].lines() {
            assert_eq!(leak(line), None, "{line}");
            assert!(is_flat(line), "CloudWatch does not find the members of this: {line}");
        }
    }
}

#[test]
fn what_is_private_is_found_in_a_line_and_what_is_not_is_left_alone() {
    let harmless = r#"[rest] {"request_id":"JTA9K2_abcDEF=","app_id":"01a22982-d27a-70ad-b659-75a4366cd269","call_id":"5600000000000001",
        "trace_id":"1-5e9f0c65-1de4d666d4dd26aced652b6c","code":1000,"message":"status 401"}"#;
    assert_eq!(leak(harmless), None);
    for line in [
        "asked for /api/calls?number=%2B1",
        "+14155550160",
        "(415) 555-0160",
        "Jo Client rang",
        "app_ZyXpBUtCWarT_Q7Zz4F7GWnJgFUHUPddPbTUrQVTJaXbW2vlJvS",
        "secret 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "GET /auth/dialpad/callback?code=x",
    ] {
        assert!(leak(line).is_some(), "{line}");
    }
}
