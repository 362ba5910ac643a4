//! Many clients in one thread, each with one request in flight.

use std::time::{Duration, Instant};

use fcgi::internals::os::poll::{PollFd, READABLE, poll};

use crate::load::{Address, Client, Exchange, Outcome};

/// The interval at which waiting clients check the time.
const GLANCE: Duration = Duration::from_millis(20);

/// One answered request.
pub(crate) struct Answer {
    /// The client that received it.
    pub(crate) client: usize,
    pub(crate) at: Instant,
    /// From the first byte sent, or from connecting, to the last byte received.
    pub(crate) latency: Duration,
    /// The number of the process that answered, if answers contain it.
    pub(crate) worker: u32,
}

/// A request in flight.
struct Asked {
    client: Client,
    begin: Instant,
}

impl Asked {
    fn send(kept: Option<Client>, address: &Address, exchange: &Exchange) -> Self {
        let begin = Instant::now();
        let mut client = kept.unwrap_or_else(|| connect(address));
        client.send(exchange);
        Self { client, begin }
    }
}

/// Opens a connection that checks the time while it waits.
pub(crate) fn connect(address: &Address) -> Client {
    let client = Client::connect(address).unwrap();
    client.look_up_every(GLANCE);
    client
}

/// Returns clients that have not connected yet.
pub(crate) fn strangers(clients: usize) -> Vec<Option<Client>> {
    (0..clients).map(|_| None).collect()
}

/// Keeps one request of each client in flight until the time is up, and reports each that is answered before
/// that. Clients without a connection open one.
pub(crate) fn ask(
    address: &Address,
    exchange: &Exchange,
    clients: Vec<Option<Client>>,
    end: Instant,
    mut answered: impl FnMut(Answer),
) {
    let send = |kept| Asked::send(kept, address, exchange);
    let mut asked: Vec<Option<Asked>> = clients.into_iter().map(|kept| Some(send(kept))).collect();
    loop {
        for at in ready(&asked) {
            let Some(Asked { mut client, begin }) = asked[at].take() else { continue };
            let outcome = client.receive(exchange, end);
            let now = Instant::now();
            assert_ne!(outcome, Outcome::Cut, "closed before the response was complete");
            if outcome == Outcome::TimeUp || now >= end {
                return;
            }
            answered(Answer { client: at, at: now, latency: now - begin, worker: client.worker });
            asked[at] = Some(send(exchange.kept.then_some(client)));
        }
        if Instant::now() >= end {
            return;
        }
    }
}

/// Returns the requests whose answers have begun to arrive. A single one needs no poll.
fn ready(asked: &[Option<Asked>]) -> Vec<usize> {
    if asked.len() == 1 {
        return vec![0];
    }
    let descriptor = |asked: &Option<Asked>| asked.as_ref().map_or(-1, |a| a.client.descriptor());
    let mut fds: Vec<PollFd> =
        asked.iter().map(|asked| PollFd::new(descriptor(asked), READABLE)).collect();
    let _ = poll(&mut fds, Some(GLANCE));
    (0..fds.len()).filter(|at| fds[*at].revents != 0).collect()
}
