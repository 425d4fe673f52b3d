//! When a record becomes visible (`docs/ARCHITECTURE.md` §5.1), as a pure state machine, and the sync that moves it.
//!
//! ```text
//! log start <= high watermark <= end,   durable end <= end,   must-sync end <= end
//! ```
//! Nothing here knows a socket or a waiter; the owner of the log wakes them when told that the watermark moved.

use super::config::Visible;
use crate::base::ids::Offset;

/// What must have happened to a batch before it may be acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Acknowledge {
    /// It is written: acks 0 and 1, and everything in durability modes `interval` and `os`.
    Written,
    /// A sync begun after its write has returned: acks=all, markers, coordinators' records.
    Durable,
}

/// The ends of one log, and the rule that moves them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Visibility {
    visible: Visible,
    end: Offset,
    durable_end: Offset,
    must_sync_end: Offset,
    high_watermark: Offset,
}

impl Visibility {
    /// Of a log whose content up to `end` is durable.
    pub fn opened(visible: Visible, end: Offset) -> Visibility {
        Visibility { visible, end, durable_end: end, must_sync_end: end, high_watermark: end }
    }

    pub fn end(&self) -> Offset {
        self.end
    }

    pub fn durable_end(&self) -> Offset {
        self.durable_end
    }

    /// Below it lies everything that waits for a sync before it may be acknowledged.
    pub fn must_sync_end(&self) -> Offset {
        self.must_sync_end
    }

    pub fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    pub fn set_visible(&mut self, visible: Visible) {
        self.visible = visible;
    }

    /// A batch was written and the log now ends at `end`. True if the high watermark moved.
    pub fn appended(&mut self, end: Offset, acknowledge: Acknowledge) -> bool {
        assert!(end > self.end, "an append moves the end forward");
        self.end = end;
        if acknowledge == Acknowledge::Durable {
            self.must_sync_end = end;
        }
        let at_once = acknowledge == Acknowledge::Written && self.durable_end >= self.must_sync_end;
        match self.visible {
            Visible::Acknowledged if at_once => self.raise(end),
            _ => false,
        }
    }

    /// A sync begun when the log ended at `covered` returned. True if the high watermark moved.
    pub fn synced(&mut self, covered: Offset) -> bool {
        assert!(covered <= self.end, "a sync covers what is written");
        self.durable_end = self.durable_end.max(covered);
        let all_acknowledged = self.visible == Visible::Acknowledged && self.durable_end >= self.must_sync_end;
        self.raise(if all_acknowledged { self.end } else { self.durable_end })
    }

    fn raise(&mut self, to: Offset) -> bool {
        let moved = to > self.high_watermark;
        self.high_watermark = self.high_watermark.max(to);
        assert!(self.high_watermark <= self.end, "the high watermark is within the log");
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Written(i64),
        Durable(i64),
        Synced(i64),
    }
    use Step::{Durable, Synced, Written};

    fn check(visible: Visible, steps: &[(Step, i64)]) {
        let mut state = Visibility::opened(visible, Offset(0));
        for (step, expected) in steps {
            let before = state.high_watermark();
            let moved = match *step {
                Written(end) => state.appended(Offset(end), Acknowledge::Written),
                Durable(end) => state.appended(Offset(end), Acknowledge::Durable),
                Synced(covered) => state.synced(Offset(covered)),
            };
            assert_eq!(state.high_watermark(), Offset(*expected), "after {step:?} of {steps:?}");
            assert_eq!(moved, before != state.high_watermark(), "moved, after {step:?}");
        }
    }

    #[test]
    fn written_batches_show_at_once() {
        check(Visible::Acknowledged, &[(Written(3), 3), (Written(5), 5), (Synced(3), 5)]);
    }

    #[test]
    fn durable_batches_show_after_their_sync() {
        check(
            Visible::Acknowledged,
            &[(Durable(3), 0), (Synced(3), 3), (Durable(4), 3), (Synced(3), 3), (Synced(4), 4)],
        );
    }

    #[test]
    fn written_batches_wait_behind_durable_ones() {
        check(Visible::Acknowledged, &[(Durable(3), 0), (Written(5), 0), (Synced(3), 5), (Written(6), 6)]);
        check(
            Visible::Acknowledged,
            &[(Written(2), 2), (Durable(3), 2), (Written(5), 2), (Synced(2), 2), (Synced(5), 5)],
        );
    }

    #[test]
    fn a_sync_shows_what_it_covered_and_no_more_while_later_batches_wait() {
        check(Visible::Acknowledged, &[(Durable(3), 0), (Durable(6), 0), (Synced(3), 3), (Synced(6), 6)]);
        check(Visible::Acknowledged, &[(Durable(3), 0), (Written(4), 0), (Durable(6), 0), (Synced(4), 4)]);
    }

    #[test]
    fn durable_visibility_shows_nothing_early() {
        check(Visible::Durable, &[(Written(3), 0), (Durable(5), 0), (Synced(3), 3), (Synced(5), 5), (Written(6), 5)]);
    }

    #[test]
    fn the_watermark_never_moves_back() {
        check(Visible::Acknowledged, &[(Written(9), 9), (Durable(10), 9), (Synced(0), 9), (Synced(10), 10)]);
    }
}
