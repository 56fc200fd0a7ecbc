//! A JSON object read one level deep: its members stay text until somebody asks for them.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::member::Member;

/// The members of an object. Nothing below them is looked at, so that no depth, number or repetition there matters.
#[derive(Debug, Default)]
pub(super) struct Object<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Object<'a> {
    /// Reads an object; `None` if the text is no JSON, or another kind of value.
    pub(super) fn read(json: &'a str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }

    /// The members below a value, if it is an object.
    pub(super) fn of(value: Member<'a>) -> Option<Self> {
        value.json().starts_with('{').then(|| Self::read(value.json())).flatten()
    }

    /// A member that is there and not null. Of several with one name the last counts, as in `jsonb`.
    pub(super) fn get(&self, name: &str) -> Option<Member<'a>> {
        let (_, value) = self.0.iter().rev().find(|(own, _)| own == name)?;
        Member::new(value.get())
    }

    /// The first member of these names that is there and not null.
    pub(super) fn any(&self, names: &[&str]) -> Option<Member<'a>> {
        names.iter().find_map(|name| self.get(name))
    }

    /// The first of these members that can be read as this.
    pub(super) fn first<T>(&self, names: &[&str], read: impl Fn(Member<'a>) -> Option<T>) -> Option<T> {
        names.iter().find_map(|name| read(self.get(name)?))
    }

    /// The object below a member.
    pub(super) fn below(&self, name: &str) -> Option<Object<'a>> {
        self.get(name).and_then(Self::of)
    }

    /// Adds the members of another object behind its own: they count where its own are missing.
    pub(super) fn or(self, other: Self) -> Self {
        Self(
            other
                .0
                .into_iter()
                .chain(self.0.into_iter().filter(|(_, value)| value.get() != "null"))
                .collect(),
        )
    }
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_does_not_matter() {
        let depth = 100_000;
        let json = format!(r#"{{"deep":{}{},"id":"7"}}"#, "[".repeat(depth), "]".repeat(depth));
        let object = Object::read(&json).unwrap();
        assert_eq!(object.get("id").unwrap().text().as_deref(), Some("7"));
        assert!(object.below("deep").is_none());
        let json = format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
        assert!(Object::read(&json).unwrap().below("a").is_some());
    }

    #[test]
    fn of_repeated_members_the_last_counts() {
        let object = Object::read(r#"{"a":1,"a":"2"}"#).unwrap();
        assert_eq!(object.get("a").unwrap().text().as_deref(), Some("2"));
        assert!(Object::read(r#"{"a":1,"a":null}"#).unwrap().get("a").is_none());
    }

    #[test]
    fn only_objects_are_objects() {
        for json in
            ["", "null", "[]", "1", r#""{}""#, "{", "{}x", "{\"a\":1e}", "{\"a\":\"\0\"}", "\u{FEFF}{}"]
        {
            assert!(Object::read(json).is_none(), "{json:?}");
        }
        assert!(Object::read(" {\"a\" : 1e999999}\r\n").is_some());
    }
}
