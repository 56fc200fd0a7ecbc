//! Which route of the HTTP API takes a request.

use std::{cmp::Reverse, time::Duration};

use crate::template::HttpRoute;

/// The routes of the HTTP API.
///
/// The most specific path wins: a literal part before `{name}` before `{name+}`, from the left; then a named method
/// before any; `$default` last. A route whose method does not fit is as good as absent, so the next best takes over.
#[derive(Debug, Default)]
pub(super) struct Routes {
    routes: Vec<Route>,
    default: Option<HttpRoute>,
}

/// A route that takes a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Matched<'a> {
    /// The route key: method and path of the template, or `$default`.
    pub(super) key: &'a str,
    /// The function behind it.
    pub(super) function: &'a str,
    /// How long it may take, where the template says so.
    pub(super) timeout: Option<Duration>,
    /// What the path's variables stand for.
    pub(super) parameters: Vec<(&'a str, String)>,
}

#[derive(Debug)]
struct Route {
    key: String,
    method: Option<String>,
    parts: Vec<Part>,
    function: String,
    timeout: Option<Duration>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Greedy,
    Variable,
    Literal,
}

#[derive(Debug)]
struct Part {
    kind: Kind,
    text: String,
}

impl Routes {
    /// Prepares the template's routes.
    pub(super) fn new(routes: &[HttpRoute]) -> Self {
        let mut prepared = Self::default();
        for route in routes {
            if route.path == "$default" {
                prepared.default = Some(route.clone());
                continue;
            }
            let method = route.method.as_deref().map(str::to_uppercase).filter(|method| method != "ANY");
            prepared.routes.push(Route {
                key: format!("{} {}", method.as_deref().unwrap_or("ANY"), route.path),
                method,
                parts: split(&route.path).map(Part::new).collect(),
                function: route.function.clone(),
                timeout: route.timeout,
            });
        }
        prepared
    }

    /// Finds the route for a method and a decoded path.
    pub(super) fn find(&self, method: &str, path: &str) -> Option<Matched<'_>> {
        let parts: Vec<&str> = split(path).collect();
        self.routes
            .iter()
            .filter(|route| route.method.as_deref().is_none_or(|named| named == method) && route.fits(&parts))
            .min_by_key(|route| Reverse(route.specificity()))
            .map(|route| Matched {
                key: &route.key,
                function: &route.function,
                timeout: route.timeout,
                parameters: route.parameters(&parts),
            })
            .or_else(|| {
                let HttpRoute { function, timeout, .. } = self.default.as_ref()?;
                Some(Matched { key: "$default", function, timeout: *timeout, parameters: Vec::new() })
            })
    }
}

impl Route {
    fn fits(&self, parts: &[&str]) -> bool {
        let greedy = self.parts.last().is_some_and(|part| part.kind == Kind::Greedy);
        let length_fits =
            if greedy { parts.len() >= self.parts.len() } else { parts.len() == self.parts.len() };
        length_fits
            && self.parts.iter().zip(parts).all(|(part, actual)| match part.kind {
                Kind::Literal => part.text == *actual,
                Kind::Variable | Kind::Greedy => !actual.is_empty(),
            })
    }

    fn specificity(&self) -> (Vec<&Kind>, bool) {
        (self.parts.iter().map(|part| &part.kind).collect(), self.method.is_some())
    }

    fn parameters(&self, parts: &[&str]) -> Vec<(&str, String)> {
        let value = |(index, part): (usize, &Part)| match part.kind {
            Kind::Literal => None,
            Kind::Variable => parts.get(index).map(|&actual| actual.to_owned()),
            Kind::Greedy => parts.get(index..).map(|rest| rest.join("/")),
        };
        self.parts
            .iter()
            .enumerate()
            .filter_map(|(index, part)| Some((part.text.as_str(), value((index, part))?)))
            .collect()
    }
}

impl Part {
    fn new(text: &str) -> Self {
        let (kind, text) = match text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            None => (Kind::Literal, text),
            Some(name) => match name.strip_suffix('+') {
                Some(name) => (Kind::Greedy, name),
                None => (Kind::Variable, name),
            },
        };
        Self { kind, text: text.to_owned() }
    }
}

fn split(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(keys: &[&str]) -> Routes {
        let routes: Vec<HttpRoute> = keys
            .iter()
            .map(|key| {
                let (method, path) =
                    key.split_once(' ').map_or((None, *key), |(method, path)| (Some(method), path));
                HttpRoute {
                    method: method.map(str::to_owned),
                    path: path.to_owned(),
                    function: "f".to_owned(),
                    timeout: None,
                }
            })
            .collect();
        Routes::new(&routes)
    }

    fn key<'a>(routes: &'a Routes, method: &str, path: &str) -> Option<&'a str> {
        routes.find(method, path).map(|matched| matched.key)
    }

    #[test]
    fn the_example_of_the_developer_guide_comes_out_the_same() {
        let routes = routes(&[
            "$default",
            "ANY /{proxy+}",
            "GET /pets/{proxy+}",
            "GET /pets/dog/{id}",
            "GET /pets/dog/1",
        ]);
        assert_eq!(key(&routes, "GET", "/pets/dog/1"), Some("GET /pets/dog/1"));
        assert_eq!(key(&routes, "GET", "/pets/dog/2"), Some("GET /pets/dog/{id}"));
        assert_eq!(key(&routes, "GET", "/pets/cat/1"), Some("GET /pets/{proxy+}"));
        assert_eq!(key(&routes, "POST", "/test/5"), Some("ANY /{proxy+}"));
        assert_eq!(key(&routes, "GET", "/"), Some("$default"));
    }

    #[test]
    fn a_named_method_goes_before_any_and_a_missing_one_falls_through() {
        let routes = routes(&["ANY /a", "GET /a", "POST /a/{id}", "ANY /a/{proxy+}"]);
        assert_eq!(key(&routes, "GET", "/a"), Some("GET /a"));
        assert_eq!(key(&routes, "DELETE", "/a"), Some("ANY /a"));
        assert_eq!(key(&routes, "POST", "/a/1"), Some("POST /a/{id}"));
        assert_eq!(key(&routes, "GET", "/a/1"), Some("ANY /a/{proxy+}"));
        assert_eq!(key(&routes, "GET", "/b"), None);
    }

    #[test]
    fn variables_take_one_part_and_greedy_ones_the_rest() {
        let routes = routes(&["GET /calls/{id}", "GET /files/{proxy+}"]);
        let call = routes.find("GET", "/calls/a b").unwrap();
        assert_eq!(call.parameters, [("id", "a b".to_owned())]);
        let file = routes.find("GET", "/files/x/y/z").unwrap();
        assert_eq!(file.parameters, [("proxy", "x/y/z".to_owned())]);
        assert_eq!(key(&routes, "GET", "/calls/"), None);
        assert_eq!(key(&routes, "GET", "/calls/1/2"), None);
        assert_eq!(key(&routes, "GET", "/files"), None);
    }
}
