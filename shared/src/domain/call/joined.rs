//! Which legs belong together: a union-find over everything that one event mentions.

use chrono::{DateTime, Utc};

/// A partition of the numbers `0..n` into sets that only ever grow together.
#[derive(Debug, Default)]
pub(super) struct Joined {
    parent: Vec<usize>,
    members: Vec<Members>,
}

/// What is looked up of a set, so that a question about one leg does not have to visit all others.
#[derive(Debug, Default)]
pub(super) struct Members {
    size: usize,
    /// Legs that were users' legs when they were listed.
    pub(super) users: Vec<usize>,
    /// Legs that were answered when they were listed.
    pub(super) answered: Vec<usize>,
    /// Legs that were handed on when they were listed.
    pub(super) handed_on: Vec<usize>,
    /// When the newest leg was made.
    pub(super) latest_start: Option<DateTime<Utc>>,
}

impl Joined {
    /// Adds a set of one and returns its number.
    pub(super) fn add(&mut self) -> usize {
        self.parent.push(self.parent.len());
        self.members.push(Members { size: 1, ..Members::default() });
        self.parent.len() - 1
    }

    /// The number that stands for the set of `number`.
    pub(super) fn root(&self, mut number: usize) -> usize {
        while self.parent[number] != number {
            number = self.parent[number];
        }
        number
    }

    /// What is known of the set of `number`.
    pub(super) fn members(&self, number: usize) -> &Members {
        &self.members[self.root(number)]
    }

    /// The same, to be changed.
    pub(super) fn members_mut(&mut self, number: usize) -> &mut Members {
        let root = self.root(number);
        &mut self.members[root]
    }

    /// Makes one set of two. The smaller is hung below the larger, so that no path grows longer than log2(n).
    pub(super) fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        if one == other {
            return;
        }
        let other_is_larger = self.members[one].size < self.members[other].size;
        let (kept, gone) = if other_is_larger { (other, one) } else { (one, other) };
        self.parent[gone] = kept;
        let Members { size, users, answered, handed_on, latest_start } =
            std::mem::take(&mut self.members[gone]);
        let members = &mut self.members[kept];
        members.size += size;
        members.users.extend(users);
        members.answered.extend(answered);
        members.handed_on.extend(handed_on);
        members.latest_start = members.latest_start.max(latest_start);
    }
}
