//! The two sockets with which a process wakes its own threads. The program may close their numbers.

use std::io;
use std::os::fd::RawFd;

use super::files::{FileId, Kind};
use super::tasks::TaskId;
use super::{Kernel, error};

/// A number, and the file that it stood for when it was made.
pub type End = (RawFd, FileId);

#[derive(Clone, Copy, Default)]
pub struct WakeUp {
    pub reader: Option<End>,
    pub writer: Option<End>,
}

impl Kernel {
    fn own(&self, process: usize, end: Option<End>) -> Option<End> {
        let table = &self.processes[process].table;
        end.filter(|(fd, file)| table.get(*fd as usize) == Some(&Some(*file)))
    }

    /// Returns the number that becomes readable, if it still stands for its file.
    pub fn own_reader(&self, process: usize) -> Option<RawFd> {
        self.own(process, self.processes[process].wake_up.reader).map(|(fd, _)| fd)
    }

    /// Returns the number that is written to, if it still stands for its file.
    pub fn own_writer(&self, process: usize) -> Option<RawFd> {
        self.own(process, self.processes[process].wake_up.writer).map(|(fd, _)| fd)
    }

    /// Returns the number that becomes readable; makes what is missing.
    pub fn sound_wake_up(&mut self, task: TaskId) -> io::Result<RawFd> {
        let process = self.tasks[task].process;
        let WakeUp { reader, writer } = self.processes[process].wake_up;
        let whole = self.own(process, writer).and(self.own(process, reader));
        if let Some((fd, _)) = whole {
            return Ok(fd);
        }
        self.processes[process].wake_up = WakeUp::default();
        let [writer, reader] = self.open_pair(task)?;
        if !self.has_room(task) {
            for (fd, file) in [writer, reader] {
                self.free_number(task, fd);
                self.release(file);
            }
            return Err(error(libc::EMFILE));
        }
        self.processes[process].wake_up = WakeUp { reader: Some(reader), writer: Some(writer) };
        if self.processes[process].wish {
            self.write_wake_up(process);
        }
        Ok(reader.0)
    }

    pub fn write_wake_up(&mut self, process: usize) {
        let Some((_, file)) = self.own(process, self.processes[process].wake_up.writer) else {
            return;
        };
        let Kind::Stream(stream) = &self.files[file].kind else { return };
        let other = stream.other;
        if let Ok(reader) = self.stream(other) {
            reader.inbox.push_back(0);
        }
        self.notify(other);
    }

    pub fn read_wake_up(&mut self, process: usize) {
        let reader = self.own(process, self.processes[process].wake_up.reader);
        if let Some(stream) = reader.and_then(|(_, file)| self.stream(file).ok()) {
            stream.inbox.clear();
        }
    }

    /// Closes the parent's ends in a child.
    pub fn forget_wake_up(&mut self, task: TaskId) {
        let process = self.tasks[task].process;
        self.processes[process].calls = 0;
        let WakeUp { reader, writer } = std::mem::take(&mut self.processes[process].wake_up);
        for end in [reader, writer] {
            if let Some((fd, file)) = self.own(process, end) {
                self.free_number(task, fd);
                self.release(file);
            }
        }
    }
}
