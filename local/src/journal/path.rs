//! The shape of a path: what of it may be shown.

/// The longest word of ours is `unread-count`; what is longer is somebody's.
const LONGEST_WORD: usize = 24;

/// The path with its variable parts made unrecognisable.
///
/// A stranger decides what is in a path: a phone number, a name, a key. Words in small letters are routes, the end of
/// a UUID tells two apps apart, and everything else is a star.
pub(crate) fn shape(path: &str) -> String {
    let parts: Vec<_> = path.split('/').map(part).collect();
    parts.join("/")
}

fn part(part: &str) -> String {
    let is_of_a_word = |c: char| c.is_ascii_lowercase() || matches!(c, '-' | '_' | '.');
    if part.len() <= LONGEST_WORD && part.chars().all(is_of_a_word) {
        part.to_owned()
    } else if part.len() == 36 && uuid::Uuid::parse_str(part).is_ok() {
        format!("…{}", &part[28..])
    } else {
        "*".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::shape;

    #[test]
    fn only_words_and_the_ends_of_uuids_are_shown() {
        assert_eq!(shape("/"), "/");
        assert_eq!(shape("/api/ws-tickets"), "/api/ws-tickets");
        assert_eq!(shape("/openapi.json"), "/openapi.json");
        assert_eq!(
            shape("/internal/apps/0193a1b2-0000-7000-8000-00001a2b3c4d/users/mappings/crm/J%C3%BCrgen"),
            "/internal/apps/…1a2b3c4d/users/mappings/crm/*"
        );
        assert_eq!(shape("/api/calls/+14155550160"), "/api/calls/*");
        assert_eq!(shape("/app_AbC123"), "/*");
    }
}
