//! Nothing that a stranger reads holds a secret that could be somebody's.

use std::path::{Path, PathBuf};

use shared::auth::ApiKey;

#[test]
fn no_page_holds_a_key_that_could_be_used() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut pages: Vec<PathBuf> = ["docs", "migrations"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(root.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    pages.extend(["README.md", "template.yaml", "samconfig.toml", ".env.sample"].map(|name| root.join(name)));
    for page in pages {
        let text = std::fs::read_to_string(&page).unwrap();
        for word in text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_') {
            let is_secret = word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(ApiKey::parse(word).is_err() && !is_secret, "{}: {word}", page.display());
        }
    }
}
