//! The newest numbered messages, as they will be sent again. It knows nothing of the line or of sessions. Invariant: a slot is
//! overwritten only when the message behind all kept ones is begun.

/// What a slot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    I16,
    F32,
    Label,
}

#[derive(Clone, Copy, Debug)]
struct Slot<const SIZE: usize> {
    time: u64,
    kind: Kind,
    /// Whether it is to be sent again.
    requested: bool,
    len: u16,
    bytes: [u8; SIZE],
}

/// `BLOCKS` slots, one of which is being filled.
#[derive(Debug)]
pub(super) struct Ring<const BLOCKS: usize, const SIZE: usize> {
    slots: [Slot<SIZE>; BLOCKS],
    /// The number of the message that is being filled.
    head: u32,
    /// How many before it are kept.
    kept: u16,
    /// Rows in the slot that is being filled.
    rows: u16,
}

impl<const BLOCKS: usize, const SIZE: usize> Ring<BLOCKS, SIZE> {
    pub(super) const fn new() -> Self {
        let empty = Slot { time: 0, kind: Kind::I16, requested: false, len: 0, bytes: [0; SIZE] };
        Self { slots: [empty; BLOCKS], head: 0, kept: 0, rows: 0 }
    }

    /// The number of the next message that will be whole.
    pub(super) fn head(&self) -> u32 {
        self.head
    }

    /// The oldest that is kept; `head` if there is none.
    pub(super) fn oldest(&self) -> u32 {
        self.head.wrapping_sub(u32::from(self.kept))
    }

    /// Adds a row to the message that is being filled, and ends it when it has `rows` (0: when it is full).
    pub(super) fn append(&mut self, time: u64, kind: Kind, row: &[u8], rows: u16) {
        let Slot { kind: open_kind, len, .. } = *self.open();
        if self.rows > 0 && (open_kind != kind || usize::from(len) + row.len() > SIZE) {
            self.close();
        }
        if self.rows == 0 {
            let open = self.open();
            (open.time, open.kind, open.requested, open.len) = (time, kind, false, 0);
        }
        let open = self.open();
        let (from, till) = (usize::from(open.len), usize::from(open.len) + row.len());
        // Rows and labels are shorter than a slot: `Device::new` holds it.
        let Some(place) = open.bytes.get_mut(from..till) else { return };
        place.copy_from_slice(row);
        open.len = till as u16;
        self.rows += 1;
        if self.rows == rows || till + row.len() > SIZE {
            self.close();
        }
    }

    /// Ends the message that is being filled, if anything is in it.
    pub(super) fn close(&mut self) {
        if self.rows > 0 {
            self.rows = 0;
            self.head = self.head.wrapping_add(1);
            self.kept = (self.kept + 1).min(BLOCKS as u16 - 1);
        }
    }

    /// A kept message: time, kind, bytes.
    pub(super) fn kept(&self, sequence: u32) -> Option<(u64, Kind, &[u8])> {
        let Slot { time, kind, len, bytes, .. } = &self.slots[self.place(sequence)?];
        Some((*time, *kind, &bytes[..usize::from(*len)]))
    }

    /// Has a message sent again, if it is kept.
    pub(super) fn request(&mut self, sequence: u32) {
        if let Some(place) = self.place(sequence) {
            self.slots[place].requested = true;
        }
    }

    /// The oldest that is to be sent again.
    pub(super) fn take_request(&mut self) -> Option<u32> {
        let oldest = self.oldest();
        let mut kept = (0..u32::from(self.kept)).map(|ahead| oldest.wrapping_add(ahead));
        let sequence = kept.find(|&sequence| self.place(sequence).is_some_and(|place| self.slots[place].requested))?;
        self.slots[self.place(sequence)?].requested = false;
        Some(sequence)
    }

    pub(super) fn forget_requests(&mut self) {
        self.slots.iter_mut().for_each(|slot| slot.requested = false);
    }

    fn open(&mut self) -> &mut Slot<SIZE> {
        &mut self.slots[slot(self.head, BLOCKS)]
    }

    fn place(&self, sequence: u32) -> Option<usize> {
        let is_kept = sequence.wrapping_sub(self.oldest()) < u32::from(self.kept);
        is_kept.then_some(slot(sequence, BLOCKS))
    }
}

/// Where a message lies. `blocks` is a power of two, so that places go on when numbers begin again.
const fn slot(sequence: u32, blocks: usize) -> usize {
    sequence as usize % blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_ends_with_its_last_row_or_when_the_slot_is_full() {
        let mut ring: Ring<4, 8> = Ring::new();
        for row in 0..3 {
            ring.append(row, Kind::I16, &[row as u8; 2], 2);
        }
        assert_eq!((ring.head(), ring.oldest()), (1, 0));
        assert_eq!(ring.kept(0), Some((0, Kind::I16, &[0, 0, 1, 1][..])));
        assert_eq!(ring.kept(1), None, "it is being filled");
        for row in 3..6 {
            ring.append(row, Kind::I16, &[row as u8; 2], 0);
        }
        assert_eq!(ring.kept(1), Some((2, Kind::I16, &[2, 2, 3, 3, 4, 4, 5, 5][..])));
    }

    #[test]
    fn another_kind_is_another_message() {
        let mut ring: Ring<4, 8> = Ring::new();
        ring.append(1, Kind::I16, &[1; 2], 0);
        ring.append(2, Kind::F32, &[2; 4], 0);
        ring.close();
        assert_eq!(ring.kept(0), Some((1, Kind::I16, &[1; 2][..])));
        assert_eq!(ring.kept(1), Some((2, Kind::F32, &[2; 4][..])));
    }

    #[test]
    fn the_newest_are_kept_and_the_oldest_requested_comes_first() {
        let mut ring: Ring<4, 8> = Ring::new();
        for row in 0..10 {
            ring.append(row, Kind::I16, &[row as u8; 2], 1);
        }
        assert_eq!((ring.head(), ring.oldest()), (10, 7));
        for sequence in [9, 7, 6, 10, 100] {
            ring.request(sequence);
        }
        assert_eq!([ring.take_request(), ring.take_request(), ring.take_request()], [Some(7), Some(9), None]);
    }
}
