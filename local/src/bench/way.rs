//! The way of an event through the stack, from what the server noted (`crate::timing`).

use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    path::Path,
};

use crate::timing::{self, Point};

/// One note.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Note {
    at: u64,
    point: String,
    name: String,
}

/// Reads the notes as they are added.
pub(super) struct Way {
    file: File,
    rest: String,
}

impl Way {
    /// From now on.
    pub(super) fn follow(file: &Path) -> std::io::Result<Self> {
        let mut file = File::open(file)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Self { file, rest: String::new() })
    }

    /// When these points were reached since the last look, one after the other, from `start` on; none if one is missing.
    pub(super) fn steps(
        &mut self,
        start: u64,
        points: &[(Point, &str)],
    ) -> std::io::Result<Option<Vec<u64>>> {
        self.file.read_to_string(&mut self.rest)?;
        let text = std::mem::take(&mut self.rest);
        let notes: Vec<Note> = text.lines().filter_map(parse).collect();
        Ok(find(&notes, start, points))
    }
}

/// Requests that one function answers, one at a time: what of each is the function's, and what is before and after it.
pub(super) struct Trips {
    way: Way,
    function: &'static str,
    steps: [Vec<f64>; 3],
}

impl Trips {
    pub(super) fn follow(file: &Path, function: &'static str) -> std::io::Result<Self> {
        Ok(Self { way: Way::follow(file)?, function, steps: Default::default() })
    }

    /// Notes one that began at that time and is over now.
    pub(super) fn note(&mut self, sent: u64) -> std::io::Result<()> {
        let received = timing::now();
        let points = [(Point::Taken, self.function), (Point::Answered, self.function)];
        if let Some(times) = self.way.steps(sent, &points)? {
            let times = [&[sent], &times[..], &[received]].concat();
            self.steps.iter_mut().zip(between(&times)).for_each(|(step, time)| step.push(time));
        }
        Ok(())
    }

    /// The steps, under these names.
    pub(super) fn steps(self, names: [&'static str; 3]) -> impl Iterator<Item = (&'static str, Vec<f64>)> {
        names.into_iter().zip(self.steps)
    }
}

fn parse(line: &str) -> Option<Note> {
    let mut words = line.splitn(3, ' ');
    let at = words.next()?.parse().ok()?;
    Some(Note { at, point: words.next()?.to_owned(), name: words.next()?.to_owned() })
}

/// The first note of each point that is not before the one of the point before it.
fn find(notes: &[Note], start: u64, points: &[(Point, &str)]) -> Option<Vec<u64>> {
    let mut after = start;
    let mut found = Vec::with_capacity(points.len());
    for (point, name) in points {
        let fits = |note: &&Note| note.at >= after && note.point == point.as_str() && note.name == *name;
        after = notes.iter().filter(fits).map(|note| note.at).min()?;
        found.push(after);
    }
    Some(found)
}

/// The durations between these times, in milliseconds.
pub(super) fn between(times: &[u64]) -> Vec<f64> {
    let milliseconds =
        |pair: &[u64]| f64::from(u32::try_from(pair[1].saturating_sub(pair[0])).unwrap_or(u32::MAX)) / 1000.0;
    times.windows(2).map(milliseconds).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_point_is_looked_for_after_the_one_before_it() {
        let text = "5 taken webhook\n9 taken processor\n12 sent stack-EventQueue\n15 taken processor\n20 posted ws\n";
        let notes: Vec<Note> = text.lines().filter_map(parse).collect();
        let points =
            [(Point::Taken, "webhook"), (Point::Sent, "stack-EventQueue"), (Point::Taken, "processor")];
        assert_eq!(find(&notes, 1, &points), Some(vec![5, 12, 15]));
        assert_eq!(find(&notes, 6, &points), None);
    }

    #[test]
    fn steps_lie_between_times() {
        assert_eq!(between(&[1000, 1500, 4500]), [0.5, 3.0]);
    }
}
