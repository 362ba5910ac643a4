//! The simulated kernel against Linux: the same calls, in the same order, on both.

use std::fmt::Debug;
use std::io;
use std::os::fd::RawFd;

use crate::kernel::tasks::{call, spawn};
use crate::world::{LISTEN_FD, Plan, World};
use crate::{Case, Try};

pub const CASES: &[Case] = &[("the_simulated_kernel_says_what_linux_says", Try::Once, likeness)];

/// Returns the result of a call as text: its value or its errno.
fn said<T: Debug>(result: io::Result<T>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("errno {:?}", error.raw_os_error()),
    }
}

/// The calls, through the functions of one of the two os modules.
macro_rules! calls {
    ($($os:ident)::+, $listen:expr, $connect:expr) => {{
        use $($os)::+::descriptor::{file_number, is_nonblocking, shutdown_write, try_close};
        use $($os)::+::io::{recv_now, send_now};
        use $($os)::+::mark::{nonblocking_by_library, nonblocking_by_program, make_nonblocking, take_back};
        use $($os)::+::poll::{Epoll, PollFd, READABLE, Ready, Interest, poll};
        use $($os)::+::socket::{accept, check_listens};
        use $($os)::+::shutdown::{check_wake_up, existing_wake_up};
        use std::time::Duration;

        let (listen, connect): (RawFd, &dyn Fn() -> RawFd) = ($listen, $connect);
        let mut all: Vec<(&str, String)> = Vec::new();
        let epoll = Epoll::new(check_wake_up, 0).expect("an instance");
        let events = |most: usize| {
            let mut ready = Ready::new();
            let result = epoll.wait(&mut ready, most, Some(Duration::ZERO));
            said(result.map(|()| ready.tokens().collect::<Vec<_>>()))
        };
        let polled = |fds: &[RawFd]| {
            let mut fds: Vec<_> = fds.iter().map(|&fd| PollFd::new(fd, READABLE)).collect();
            let found = said(poll(&mut fds, Some(Duration::ZERO)));
            format!("{found}: {:?}", fds.iter().map(|entry| entry.revents).collect::<Vec<_>>())
        };
        let receive = |fd: RawFd| said(recv_now(fd, &mut [0; 16]));

        all.push(("blocks", said(is_nonblocking(listen))));
        all.push(("no mark", format!("{:?}", (nonblocking_by_library(listen), nonblocking_by_program(listen)))));
        take_back(listen);
        all.push(("the library waits", said(make_nonblocking(listen))));
        all.push(("its mark", format!("{:?}", (nonblocking_by_library(listen), nonblocking_by_program(listen)))));
        take_back(listen);
        all.push(("blocks again", said(is_nonblocking(listen))));
        make_nonblocking(listen).expect("a listen socket");
        all.push(("nothing to accept", said(accept(listen).map(drop))));
        all.push(("add listen", said(epoll.add(listen, Interest::Exclusive, 1))));
        all.push(("add it again", said(epoll.add(listen, Interest::Level, 1))));
        all.push(("silence", events(16)));
        let peers = [connect(), connect()];
        all.push(("two wait", events(16)));
        let first = accept(listen).expect("the first").fd;
        all.push(("one waits", events(16)));
        let second = accept(listen).expect("the second").fd;
        all.push(("none waits", events(16)));
        all.push(("no listen socket", said(check_listens(first))));
        all.push(("no listen socket", said(make_nonblocking(first))));
        let numbers = [listen, first, second, -1].map(file_number);
        let others = numbers.map(|number| numbers.iter().filter(|other| **other == number).count());
        all.push(("each is another file", format!("{others:?} {}", numbers[3])));

        all.push(("modify what is not there", said(epoll.modify(first, Interest::Level, 2))));
        all.push(("add once", said(epoll.add(first, Interest::OneShot, 2))));
        all.push(("add level", said(epoll.add(second, Interest::Level, 3))));
        all.push(("no bytes", events(16)));
        all.push(("send", said(send_now(peers[1], b"second"))));
        all.push(("send", said(send_now(peers[0], b"first"))));
        all.push(("poll", polled(&[epoll.descriptor(), first, second, listen, -1])));
        all.push(("in the order in which they came", events(16)));
        all.push(("once is over", events(16)));
        all.push(("arm again", said(epoll.modify(first, Interest::OneShot, 4))));
        all.push(("behind the other", events(16)));
        all.push(("receive", receive(second)));
        all.push(("receive", receive(second)));
        all.push(("nothing is ready", events(16)));
        all.push(("poll", polled(&[epoll.descriptor(), first])));
        all.push(("in turn", said(epoll.modify(first, Interest::BehindReady, 5))));
        all.push(("send", said(send_now(peers[1], b"second"))));
        all.push(("its turn", events(1)));
        all.push(("the other's turn", events(1)));
        all.push(("silent", said(epoll.modify(first, Interest::Silent, 5))));
        all.push(("it is not heard", events(1)));
        all.push(("level", said(epoll.modify(first, Interest::Level, 6))));
        all.push(("by turns", (0..5).map(|_| events(1)).collect()));
        all.push(("receive", receive(first)));
        all.push(("receive", receive(second)));

        all.push(("move", said(epoll.move_last(listen, Interest::Exclusive, 7))));
        let third = connect();
        all.push(("it is watched", events(16)));
        epoll.remove(listen);
        all.push(("it is not watched", events(16)));
        all.push(("move what is not there", said(epoll.move_last(listen, Interest::Exclusive, 7))));
        all.push(("it is not watched", events(16)));
        let fourth = accept(listen).expect("the third").fd;

        shutdown_write(peers[0]);
        all.push(("the end", events(16)));
        all.push(("the end", receive(first)));
        all.push(("the other way", said(send_now(first, b"x"))));
        all.push(("the peer ends", said(try_close(third))));
        all.push(("nothing can be sent", said(send_now(fourth, b"x"))));
        all.push(("nothing comes", receive(fourth)));
        shutdown_write(second);
        all.push(("nothing can be sent", said(send_now(second, b"x"))));
        for fd in peers.into_iter().chain([first, second, fourth]) {
            epoll.remove(fd);
            all.push(("close", said(try_close(fd))));
        }
        all.push(("none is left", events(16)));
        all.push(("it is whole", format!("{}", epoll.is_lost())));
        all.push(("anew", said(epoll.renew(check_wake_up))));
        all.push(("it is whole", format!("{}", epoll.is_lost())));
        all.push(("it watches nothing", said(epoll.modify(listen, Interest::Level, 8))));
        all.push(("the program closes it", said(try_close(epoll.descriptor()))));
        all.push(("it is lost", format!("{} {}", epoll.is_lost(), events(16))));
        all.push(("anew", said(epoll.renew(check_wake_up))));
        epoll.remove(epoll.witness());
        all.push(("it is not known again", format!("{}", epoll.is_lost())));
        all.push(("the wake-up", said(check_wake_up().map(|fd| existing_wake_up() == Some(fd)))));
        all.push(("close twice", said(try_close(first))));
        all.push(("not open", said(send_now(first, b"x"))));
        all
    }};
}

fn on_linux() -> Vec<(&'static str, String)> {
    let name = format!("libfcgi-simulation-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let name = path.clone().into_os_string().into_encoded_bytes();
    let listen = fcgi::internals::os::socket::listen(&name, 5).expect("a listen socket");
    let connect = || fcgi::internals::os::socket::connect(&name).expect("a connection");
    let all = calls!(fcgi::internals::os, listen, &connect);
    fcgi::internals::os::descriptor::close(listen);
    std::fs::remove_file(path).expect("the socket is there");
    all
}

fn likeness() {
    let mut world = World::new(Plan::default());
    let (process, socket) = (world.programs[0], world.listen);
    let simulated = spawn(process, move || {
        let connect = || call(|kernel, me| kernel.connect(me, socket)).expect("a connection");
        let simulated = calls!(crate::os, LISTEN_FD, &connect);
        for (linux, simulated) in on_linux().iter().zip(&simulated) {
            assert_eq!(linux, simulated);
        }
    });
    simulated.join();
    world.shut_down();
    world.end();
}
