//! What a request needs to send, kept for the next one: steady traffic allocates nothing.

use super::output::Output;
use crate::protocol::record::RecordType;
use crate::serve::sending::Sending;
use crate::serve::store::{MOST, Store};

/// The output streams of a request, and the sending side of its connection.
#[derive(Debug)]
pub(super) struct Streams {
    pub(super) sending: Sending,
    pub(super) out: Output,
    pub(super) log: Output,
}

static STREAMS: Store<Streams> = Store::new(MOST);

impl Streams {
    /// Streams without a request and without memory.
    const fn new() -> Self {
        Self { sending: Sending::new(), out: Output::new(), log: Output::new() }
    }

    /// Begins a request, in memory of earlier ones if there is some.
    pub(super) fn begin(id: u16) -> Self {
        let mut streams = STREAMS.take().unwrap_or_else(Self::new);
        streams.sending.reset();
        streams.out.begin(RecordType::STDOUT, id);
        streams.log.begin(RecordType::STDERR, id);
        streams
    }

    /// Takes the memory for a later request.
    pub(super) fn recycle(&mut self) {
        self.out.release();
        self.log.release();
        put(std::mem::replace(self, Self::new()));
    }
}

// Inlined, it would double the frame of its caller.
#[inline(never)]
fn put(streams: Streams) {
    STREAMS.put(streams);
}
