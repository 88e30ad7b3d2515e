//! A queue in which clients take turns: each is served in the order in which it came, and none before its turn.

use std::collections::VecDeque;

use super::unit::{Client, Unit};

/// What waits, by client. There is an entry for each client that has something waiting, and no other.
#[derive(Debug, Default)]
pub(super) struct Fair {
    turns: VecDeque<Turn>,
}

#[derive(Debug, Default)]
struct Turn {
    client: Client,
    units: VecDeque<Unit>,
    /// How many calls are in them.
    calls: usize,
}

impl Fair {
    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// Behind all that this client has waiting.
    pub(super) fn push_back(&mut self, unit: Unit) {
        let (client, calls) = (unit.client(), unit.calls().len());
        match self.turns.iter_mut().find(|turn| turn.client == client) {
            Some(turn) => {
                turn.units.push_back(unit);
                turn.calls += calls;
            }
            None => self.turns.push_back(Turn { client, units: VecDeque::from([unit]), calls }),
        }
    }

    /// Before everything: it had its turn already.
    pub(super) fn push_front(&mut self, unit: Unit) {
        let (client, calls) = (unit.client(), unit.calls().len());
        let at = self.turns.iter().position(|turn| turn.client == client);
        let mut turn = at.and_then(|at| self.turns.remove(at)).unwrap_or_default();
        turn.client = client;
        turn.units.push_front(unit);
        turn.calls += calls;
        self.turns.push_front(turn);
    }

    /// What is next.
    pub(super) fn front(&self) -> Option<&Unit> {
        self.turns.front().and_then(|turn| turn.units.front())
    }

    /// Takes what is next; then it is another client's turn.
    pub(super) fn pop(&mut self) -> Option<Unit> {
        let mut turn = self.turns.pop_front()?;
        let unit = turn.units.pop_front()?;
        turn.calls -= unit.calls().len();
        if !turn.units.is_empty() {
            self.turns.push_back(turn);
        }
        Some(unit)
    }

    /// All of it.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Unit> {
        self.turns.iter().flat_map(|turn| &turn.units)
    }

    /// Takes out what fits.
    pub(super) fn take_if(&mut self, mut fits: impl FnMut(&Unit) -> bool) -> Vec<Unit> {
        let mut taken = Vec::new();
        for turn in &mut self.turns {
            for unit in std::mem::take(&mut turn.units) {
                if fits(&unit) {
                    turn.calls -= unit.calls().len();
                    taken.push(unit);
                } else {
                    turn.units.push_back(unit);
                }
            }
        }
        self.turns.retain(|turn| !turn.units.is_empty());
        taken
    }

    /// How many calls of this client wait.
    pub(super) fn calls_of(&self, client: &Client) -> usize {
        self.turns.iter().find(|turn| turn.client == *client).map_or(0, |turn| turn.calls)
    }
}

#[cfg(test)]
mod tests {
    use super::super::queue::tests::unit_of;
    use super::*;

    fn order(fair: &mut Fair) -> String {
        let mut order = String::new();
        while let Some(unit) = fair.pop() {
            order.push_str(&unit.client().unwrap_or_default());
        }
        order
    }

    #[test]
    fn clients_take_turns_however_much_one_of_them_has_waiting() {
        let mut fair = Fair::default();
        for client in ["a", "a", "a", "a", "b", "c", "b"] {
            fair.push_back(unit_of(client));
        }
        assert_eq!(fair.calls_of(&Some("a".into())), 4);
        assert_eq!(order(&mut fair), "abcabaa");
        assert!(fair.is_empty());
    }

    #[test]
    fn what_is_put_back_is_next() {
        let mut fair = Fair::default();
        for client in ["a", "b", "a"] {
            fair.push_back(unit_of(client));
        }
        let (first, second) = (fair.pop().unwrap(), fair.pop().unwrap());
        let (of_first, of_second) = (first.calls()[0].id, second.calls()[0].id);
        fair.push_front(second);
        fair.push_front(first);
        assert_eq!(fair.pop().unwrap().calls()[0].id, of_first);
        // The first client has one more: its turn comes after the second's.
        assert_eq!(fair.pop().unwrap().calls()[0].id, of_second);
        assert_eq!(order(&mut fair), "a");
    }

    #[test]
    fn what_is_taken_out_leaves_the_order_of_the_rest() {
        let mut fair = Fair::default();
        for client in ["a", "b", "a", "c"] {
            fair.push_back(unit_of(client));
        }
        let taken = fair.take_if(|unit| unit.client().as_deref() == Some("b"));
        assert_eq!((taken.len(), order(&mut fair)), (1, "aca".to_owned()));
    }
}
