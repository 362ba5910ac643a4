//! The listener's states under every order of events that a random scheduler finds: a connection is
//! parked, in a thread's hands, given back or closed, while other threads wait, a signal asks for
//! the end, and the process forks.
//!
//! The table is the library's own, [`Parking`]. Its lock, the kernel's side (which descriptor is
//! watched how, and which has something to say) and the threads are modelled: the model takes the
//! lock where the listener does.

use std::collections::BTreeMap;
use std::os::fd::RawFd;

use fcgi::os::fork::Moment;
use fcgi::serve::parking::{Parked, Parking, Place, Rest, Stage, Watched};
use shuttle::sync::{Arc, Condvar, Mutex};
use shuttle::{rand::Rng, thread};

/// Schedules tried in one run, and the random choices of each.
const SCHEDULES: usize = 1000;

/// Requests that each client sends before it leaves.
const REQUESTS: u32 = 2;

/// How the kernel watches a descriptor: whom to tell, and whether it still tells.
#[derive(Clone, Copy)]
struct Registration {
    token: u64,
    armed: bool,
}

/// What the kernel knows. A descriptor's number is used again after it was closed.
#[derive(Default)]
struct Kernel {
    /// Open connections: requests that have arrived and not been received; `None` with the peer gone.
    open: BTreeMap<RawFd, Client>,
    watched: BTreeMap<RawFd, Registration>,
    /// Connections that wait to be accepted.
    backlog: u32,
    shutdown: bool,
    accepted: u32,
    closed: u32,
    served: u32,
}

#[derive(Clone, Copy, Default)]
struct Client {
    /// Different for every connection, unlike its descriptor.
    serial: u32,
    unread: u32,
    unsent: u32,
    gone: bool,
    /// The thread that has it in its hands.
    holder: Option<u32>,
}

impl Client {
    fn is_readable(&self) -> bool {
        self.unread > 0 || self.gone
    }
}

enum Told {
    Listen,
    /// What the listener gets to see, and the connection that was meant.
    Token(u64, u32),
    ShutDown,
}

impl Kernel {
    /// The lowest free number, as the kernel gives it.
    fn accept(&mut self) -> Option<RawFd> {
        self.backlog = self.backlog.checked_sub(1)?;
        self.accepted += 1;
        let fd = (3..).find(|fd| !self.open.contains_key(fd))?;
        self.open
            .insert(fd, Client { serial: self.accepted, unsent: REQUESTS, ..Client::default() });
        Some(fd)
    }

    fn close(&mut self, fd: RawFd) {
        let client = self.open.remove(&fd);
        assert!(client.is_some(), "descriptor {fd} was closed twice");
        // A copy in a child keeps the registration alive: it has to be gone by now.
        assert!(!self.watched.contains_key(&fd), "descriptor {fd} was closed while it was watched");
        self.closed += 1;
    }

    /// One event, as epoll_wait with one-shot registrations gives it.
    fn event(&mut self) -> Option<Told> {
        if self.shutdown {
            return Some(Told::ShutDown);
        }
        if self.backlog > 0 {
            return Some(Told::Listen);
        }
        let readable = |fd: &RawFd| self.open.get(fd).is_some_and(Client::is_readable);
        let (fd, at) = self.watched.iter_mut().find(|(fd, at)| at.armed && readable(fd))?;
        at.armed = false;
        Some(Told::Token(at.token, self.open.get(fd)?.serial))
    }
}

/// One process: the table behind its lock, and the kernel, which is atomic in every call.
#[derive(Default)]
struct Process {
    table: Mutex<Parking>,
    /// How many may be parked; 0 for no limit.
    most: usize,
    /// Events that came before their connection was parked.
    ready: Mutex<Vec<(u64, u32)>>,
    kernel: Mutex<Kernel>,
    happened: Condvar,
}

impl Process {
    fn kernel<T>(&self, call: impl FnOnce(&mut Kernel) -> T) -> T {
        let result = call(&mut self.kernel.lock().unwrap());
        self.happened.notify_all();
        result
    }

    fn wait(&self) -> Told {
        let mut kernel = self.kernel.lock().unwrap();
        loop {
            if let Some(told) = kernel.event() {
                return told;
            }
            kernel = self.happened.wait(kernel).unwrap();
        }
    }

    /// Takes a descriptor into a thread's hands. Nobody else may have it.
    fn hold(&self, fd: RawFd, thread: u32) {
        self.kernel(|kernel| {
            let client = kernel.open.get_mut(&fd).expect("a parked connection is open");
            assert_eq!(client.holder, None, "descriptor {fd} is in two threads' hands");
            client.holder = Some(thread);
        });
    }

    /// As the listener does it: the descriptor is watched first, and parked then. A registration that
    /// is only renewed is renewed without the lock.
    fn park(&self, fd: RawFd, home: Option<Place>, stage: Stage, thread: u32) {
        let place = home.unwrap_or_else(|| self.table.lock().unwrap().reserve().unwrap());
        let arm = || {
            self.kernel(|kernel| {
                kernel.watched.insert(fd, Registration { token: place.token(), armed: true })
            });
        };
        let mut table = self.table.lock().unwrap();
        if table.watched(place) == Watched::Once {
            drop(table);
            arm();
        } else {
            arm();
            table.set_watched(place, fd, Watched::Once);
            drop(table);
        }
        let mut table = self.table.lock().unwrap();
        let serial = self.kernel(|kernel| {
            let client = kernel.open.get_mut(&fd).expect("it is open");
            client.holder = None;
            client.serial
        });
        let is_full = self.most > 0 && table.len() >= self.most;
        let surplus = if is_full { table.least_worth() } else { None };
        let surplus = surplus.and_then(|place| table.take(place).map(|(fd, _)| (fd, place)));
        let rest = Rest::new(stage, None);
        if table.park(place, fd, Parked { session: None, rest, since: Moment::now() }) {
            self.ready.lock().unwrap().push((place.token(), serial));
        }
        assert!(self.most == 0 || table.len() <= self.most);
        drop(table);
        if let Some((fd, place)) = surplus {
            self.hold(fd, thread);
            self.close(fd, Some(place));
        }
    }

    fn claim(&self, place: Place, thread: u32) -> Option<RawFd> {
        let taken = {
            let mut table = self.table.lock().unwrap();
            let taken = table.take(place);
            if taken.is_none() {
                table.note_early(place);
            }
            taken
        };
        let (fd, _) = taken?;
        self.hold(fd, thread);
        Some(fd)
    }

    /// Stops watching, gives the place up, and closes.
    fn close(&self, fd: RawFd, home: Option<Place>) {
        if let Some(place) = home {
            let mut table = self.table.lock().unwrap();
            if table.watched(place) != Watched::No {
                self.kernel(|kernel| kernel.watched.remove(&fd));
            }
            table.release(place);
        }
        self.kernel(|kernel| kernel.close(fd));
    }

    fn close_parked(&self, thread: u32) {
        loop {
            let taken = {
                let mut table = self.table.lock().unwrap();
                let Some(place) = table.least_worth() else { return };
                table.take(place).map(|(fd, _)| (fd, place))
            };
            if let Some((fd, place)) = taken {
                self.hold(fd, thread);
                self.close(fd, Some(place));
            }
        }
    }

    /// A connection in the thread's hands: one request is served, or the end is seen.
    fn look(&self, fd: RawFd, home: Option<Place>, first: bool, thread: u32) {
        let (request, gone) = self.kernel(|kernel| {
            let client = kernel.open.get_mut(&fd).expect("it is open");
            let request = client.unread > 0;
            client.unread = client.unread.saturating_sub(1);
            (request, client.gone && !request)
        });
        if gone {
            return self.close(fd, home);
        }
        if request {
            // The program has the request; others wait meanwhile.
            thread::yield_now();
            self.kernel(|kernel| kernel.served += 1);
        }
        let stage = if first && !request { Stage::Silent } else { Stage::Idle };
        self.park(fd, home, stage, thread);
    }

    /// What a thread does in FCGX_Accept_r, until the wish to shut down.
    fn serve(&self, thread: u32) {
        loop {
            let ready = self.ready.lock().unwrap().pop();
            match ready.map_or_else(|| self.wait(), |(token, serial)| Told::Token(token, serial)) {
                Told::ShutDown => return self.close_parked(thread),
                // Another thread may have been faster.
                Told::Listen => {
                    if let Some(fd) = self.kernel(Kernel::accept) {
                        self.hold(fd, thread);
                        self.look(fd, None, true, thread);
                    }
                }
                Told::Token(token, serial) => {
                    let place = Place::from_token(token);
                    if let Some(fd) = self.claim(place, thread) {
                        let found = self.kernel(|kernel| kernel.open[&fd].serial);
                        assert_eq!(found, serial, "an old event has found another connection");
                        self.look(fd, Some(place), false, thread);
                    }
                }
            }
        }
    }

    /// Closes the connection of least worth, as a thread does that is out of descriptors.
    fn make_room(&self, thread: u32) {
        let oldest = {
            let mut table = self.table.lock().unwrap();
            let place = table.least_worth();
            place.and_then(|place| table.take(place).map(|(fd, _)| (fd, place)))
        };
        if let Some((fd, place)) = oldest {
            self.hold(fd, thread);
            self.close(fd, Some(place));
        }
    }

    /// What the web servers do: every client sends all its requests and leaves.
    fn be_clients(&self, clients: u32) {
        let mut to_come = clients;
        loop {
            let more = self.kernel(|kernel| {
                if kernel.shutdown {
                    return false;
                }
                if to_come > 0 {
                    to_come -= 1;
                    kernel.backlog += 1;
                    return true;
                }
                for client in kernel.open.values_mut() {
                    match client.unsent.checked_sub(1) {
                        Some(left) => (client.unsent, client.unread) = (left, client.unread + 1),
                        None => client.gone = true,
                    }
                }
                kernel.closed < clients
            });
            if !more {
                return;
            }
            thread::yield_now();
        }
    }

    fn shut_down(&self) {
        self.kernel(|kernel| kernel.shutdown = true);
    }

    /// Afterwards nothing is left.
    fn assert_empty(&self) {
        assert!(self.table.lock().unwrap().is_empty());
        let kernel = self.kernel.lock().unwrap();
        assert!(kernel.open.is_empty() && kernel.watched.is_empty());
        assert_eq!(kernel.accepted, kernel.closed);
    }
}

fn start(threads: u32) -> (Arc<Process>, Vec<thread::JoinHandle<()>>) {
    start_limited(threads, 0)
}

fn start_limited(threads: u32, most: usize) -> (Arc<Process>, Vec<thread::JoinHandle<()>>) {
    let process = Arc::new(Process { most, ..Process::default() });
    let serve = |number| {
        let process = Arc::clone(&process);
        thread::spawn(move || process.serve(number))
    };
    let threads = (0..threads).map(serve).collect();
    (process, threads)
}

fn join(threads: Vec<thread::JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// Half of the schedules change threads at every chance, half of them seldom: rare orders are found
/// by the one or the other.
fn explore(model: impl Fn() + Send + Sync + 'static) {
    let model = std::sync::Arc::new(model);
    let again = std::sync::Arc::clone(&model);
    shuttle::check_random(move || model(), SCHEDULES / 2);
    shuttle::check_pct(move || again(), SCHEDULES / 2, 4);
}

#[test]
fn every_request_is_served_once_and_every_connection_closed() {
    explore(|| {
        let (process, threads) = start(2);
        process.be_clients(3);
        process.shut_down();
        join(threads);
        process.assert_empty();
        assert_eq!(process.kernel.lock().unwrap().served, 3 * REQUESTS);
    });
}

#[test]
fn the_wish_to_shut_down_ends_every_thread_at_any_moment() {
    explore(|| {
        let (process, mut threads) = start(2);
        let clients = Arc::clone(&process);
        threads.push(thread::spawn(move || clients.be_clients(3)));
        for _ in 0..shuttle::rand::thread_rng().gen_range(0..12) {
            thread::yield_now();
        }
        process.shut_down();
        join(threads);
        // Whatever a thread had in its hands it has put back after the others had looked, and
        // then it has looked itself.
        process.assert_empty();
    });
}

#[test]
fn places_are_used_again_while_old_events_are_on_their_way() {
    explore(|| {
        let (process, threads) = start(3);
        let room = Arc::clone(&process);
        let maker = thread::spawn(move || {
            while room.kernel(|kernel| kernel.closed < 4) {
                room.make_room(99);
                thread::yield_now();
            }
        });
        process.be_clients(4);
        maker.join().unwrap();
        process.shut_down();
        join(threads);
        process.assert_empty();
    });
}

#[test]
fn no_more_are_parked_than_the_limit() {
    explore(|| {
        let (process, threads) = start_limited(3, 1);
        process.be_clients(4);
        process.shut_down();
        join(threads);
        process.assert_empty();
    });
}

#[test]
fn a_child_closes_parked_connections_and_no_active_one() {
    explore(|| {
        let (process, mut threads) = start(2);
        let clients = Arc::clone(&process);
        threads.push(thread::spawn(move || clients.be_clients(3)));
        for _ in 0..shuttle::rand::thread_rng().gen_range(0..12) {
            thread::yield_now();
        }
        // The moment of the fork: the child has a copy of everything. It gives the lock up for
        // lost if a thread that it does not have was holding it.
        if let Ok(mut table) = process.table.try_lock() {
            let kernel = process.kernel.lock().unwrap();
            let mut copies = Vec::new();
            let mut places = Vec::new();
            while let Some(place) = table.least_worth() {
                let (fd, parked) = table.take(place).unwrap();
                let client = kernel.open.get(&fd).expect("a parked connection is open");
                assert_eq!(client.holder, None, "an active connection was parked");
                copies.push(fd);
                places.push((place, fd, parked));
            }
            let mut once = copies.clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), copies.len(), "a copy is closed twice");
            // Back to the parent, which has noticed nothing.
            for (place, fd, parked) in places {
                table.park(place, fd, parked);
            }
        }
        process.shut_down();
        join(threads);
        process.assert_empty();
    });
}
