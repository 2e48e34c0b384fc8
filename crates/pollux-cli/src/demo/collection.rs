//! The list and the set of a client: numbers in a row, read back and deleted when there are enough of them.

use std::collections::BTreeSet;

use super::resp::Reply;
use super::tally::Tally;

/// Items in a collection before it is read back and deleted.
pub(crate) const ITEMS_MAX: u64 = 1_000;

/// A list or a set under construction. Each generation has a key of its own.
#[derive(Debug, Clone, Default)]
pub(crate) struct Collection {
    generation: u64,
    /// First number of this generation.
    start: u64,
    /// Next number to add.
    next: u64,
    /// Numbers of which nobody knows whether they are in.
    doubtful: BTreeSet<u64>,
    reading: bool,
    /// The length as the server tells it, for the list.
    pub(crate) tally: Tally,
}

/// What a collection must contain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contents {
    start: u64,
    end: u64,
    doubtful: BTreeSet<u64>,
}

impl Collection {
    /// The generation and number of the next item.
    pub(crate) fn add(&mut self) -> (u64, u64) {
        self.next += 1;
        (self.generation, self.next - 1)
    }

    /// Time to read it back.
    pub(crate) fn is_full(&self) -> bool {
        self.items() >= ITEMS_MAX
    }

    /// False the first time (read it), true the second time (delete it).
    pub(crate) fn begin_emptying(&mut self) -> bool {
        let was_read = self.reading;
        self.reading = !was_read;
        was_read
    }

    /// Begins the next generation; gives the old one, which is to be deleted.
    pub(crate) fn next_generation(&mut self) -> u64 {
        self.generation += 1;
        self.start = self.next;
        self.generation - 1
    }

    /// The old generation is deleted: lengths begin anew. Replies come in order, so that all lengths of the old one
    /// are checked by then.
    pub(crate) fn deleted(&mut self) {
        self.tally = self.tally.clone().restarted(self.items());
        self.doubtful = self.doubtful.split_off(&self.start);
    }

    /// The reply to a reading never came: read again, unless a new generation has begun.
    pub(crate) fn read_again(&mut self, contents: &Contents) {
        if contents.start == self.start {
            self.reading = false;
        }
    }

    /// Nobody knows whether this number is in.
    pub(crate) fn doubt(&mut self, number: u64) {
        self.doubtful.insert(number);
    }

    /// Whether nobody knows if this number is in.
    pub(crate) fn is_doubtful(&self, number: u64) -> bool {
        self.doubtful.contains(&number)
    }

    /// The generation that grows.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Items sent in this generation.
    pub(crate) fn items(&self) -> u64 {
        self.next - self.start
    }

    /// What it must contain when all that was sent is carried out.
    pub(crate) fn contents(&self) -> Contents {
        let doubtful = self.doubtful.range(self.start..).copied().collect();
        Contents { start: self.start, end: self.next, doubtful }
    }
}

impl Contents {
    /// Missing and extra items of a list: each number once, in order.
    pub(crate) fn check_list(&self, items: &[Reply<'_>]) -> (u64, u64) {
        let numbers: Vec<Option<u64>> = items.iter().map(number).collect();
        let (missing, mut extra) = self.check(&numbers);
        let in_order = numbers.windows(2).all(|two| two[0] <= two[1]);
        // Items that changed places were written twice, in a way: the second time elsewhere.
        extra += u64::from(!in_order && missing == 0 && extra == 0);
        (missing, extra)
    }

    /// Missing and extra items of a set.
    pub(crate) fn check_set(&self, items: &[Reply<'_>]) -> (u64, u64) {
        let numbers: Vec<Option<u64>> = items.iter().map(number).collect();
        self.check(&numbers)
    }

    fn check(&self, numbers: &[Option<u64>]) -> (u64, u64) {
        let mut seen = BTreeSet::new();
        let mut extra = 0;
        for number in numbers {
            match number {
                Some(number) if (self.start..self.end).contains(number) && seen.insert(*number) => {}
                _ => extra += 1,
            }
        }
        let missing =
            (self.start..self.end).filter(|number| !seen.contains(number) && !self.doubtful.contains(number));
        (missing.count() as u64, extra)
    }
}

fn number(item: &Reply<'_>) -> Option<u64> {
    match item {
        Reply::Bulk(Some(text)) => std::str::from_utf8(text).ok()?.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_list(contents: &Contents, numbers: &[u64]) -> (u64, u64) {
        let texts: Vec<String> = numbers.iter().map(u64::to_string).collect();
        let items: Vec<Reply<'_>> = texts.iter().map(|text| Reply::Bulk(Some(text.as_bytes()))).collect();
        contents.check_list(&items)
    }

    // An element that is twice in the list is a write that was carried out twice.
    #[test]
    fn missing_doubled_and_moved_items() {
        let mut list = Collection::default();
        for _ in 0..3 {
            list.add();
        }
        let contents = list.contents();
        assert_eq!(check_list(&contents, &[0, 1, 2]), (0, 0));
        assert_eq!(check_list(&contents, &[0, 2]), (1, 0));
        assert_eq!(check_list(&contents, &[0, 1, 1, 2]), (0, 1));
        assert_eq!(check_list(&contents, &[1, 0, 2]), (0, 1));
        assert_eq!(check_list(&contents, &[0, 1, 2, 9]), (0, 1));
        assert_eq!(contents.check_set(&[Reply::Integer(3)]), (3, 1));
        list.doubt(1);
        assert_eq!(check_list(&list.contents(), &[0, 2]), (0, 0));
        assert_eq!(check_list(&list.contents(), &[0, 1, 2]), (0, 0));
    }
}
