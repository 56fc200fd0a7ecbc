//! What a batch changes of agents: whatever is newer than what is known.

use std::collections::{BTreeMap, HashMap};

use shared::domain::{
    agent::{AgentEvent, newer},
    ids::DialpadId,
};

/// What a batch changes of agents.
pub(crate) struct Agents {
    /// What clients are to be told, agent by agent, in the order of Dialpad's clock.
    pub(crate) news: Vec<AgentEvent>,
}

impl Agents {
    /// Keeps of the `new` events what is newer than what is `known`.
    pub(crate) fn new(new: &[AgentEvent], known: &[AgentEvent]) -> Self {
        let known: HashMap<DialpadId, &AgentEvent> =
            known.iter().map(|agent| (agent.user_id, agent)).collect();
        let mut events: BTreeMap<DialpadId, Vec<AgentEvent>> = BTreeMap::new();
        for event in new {
            events.entry(event.user_id).or_default().push(event.clone());
        }
        let of_agent = |(user, events)| newer(known.get(&user).copied(), events);
        Self { news: events.into_iter().flat_map(of_agent).collect() }
    }

    /// Every agent whom the news is about.
    pub(crate) fn users(&self) -> impl Iterator<Item = DialpadId> {
        self.news.iter().map(|event| event.user_id)
    }

    /// The rows of `agents`: the newest of each.
    pub(crate) fn rows(&self) -> Vec<&AgentEvent> {
        let newest: BTreeMap<DialpadId, &AgentEvent> =
            self.news.iter().map(|event| (event.user_id, event)).collect();
        newest.into_values().collect()
    }
}
