//! What a record means to an application at this moment.

use super::record::{Header, NULL_REQUEST_ID, RecordType, VERSION};

/// How far the web server's side of a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// BEGIN_REQUEST was read; parameters are arriving.
    Params,
    /// The empty PARAMS record was read; the body is arriving.
    Stdin,
    /// The program has gone on to the file of a Filter.
    Data,
    /// Nothing more of the request is wanted.
    Ended,
}

/// A request that has begun and has not ended: the application owes it an END_REQUEST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Active {
    /// Its request id.
    pub id: u16,
    /// How far it has come.
    pub phase: Phase,
}

/// What to do with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// A request begins; its content is the fixed body.
    Begin,
    /// Content of the stream that the active request is reading; an empty one ends the stream.
    Stream,
    /// The active request is given up.
    Abort,
    /// GET_VALUES: answer when its content is there.
    GetValues,
    /// A management record of another type: answer UNKNOWN_TYPE.
    UnknownManagement(u8),
    /// A request begins while another is active: answer CANT_MPX_CONN for this id.
    CannotMultiplex,
    /// The active request is begun again: the connection cannot be trusted any more.
    BegunTwice,
    /// Not the protocol's first version: nothing behind this header can be understood.
    UnsupportedVersion,
    /// Skip it: a record of a request that is not active, or out of place.
    Ignore,
}

/// Says what `header` means while `active` is the request of this connection (specification 3.3:
/// records of inactive requests are ignored; 4: id 0 is management).
pub fn route(header: &Header, active: Option<Active>) -> Route {
    if header.version != VERSION {
        return Route::UnsupportedVersion;
    }
    if header.request_id == NULL_REQUEST_ID {
        return match header.kind {
            RecordType::GET_VALUES => Route::GetValues,
            other => Route::UnknownManagement(other.to_byte()),
        };
    }
    let Some(active) = active else {
        return match header.kind {
            RecordType::BEGIN_REQUEST => Route::Begin,
            _ => Route::Ignore,
        };
    };
    let own = header.request_id == active.id;
    match (header.kind, active.phase) {
        (RecordType::BEGIN_REQUEST, _) if own => Route::BegunTwice,
        (RecordType::BEGIN_REQUEST, _) => Route::CannotMultiplex,
        _ if !own => Route::Ignore,
        (RecordType::ABORT_REQUEST, _) => Route::Abort,
        (RecordType::PARAMS, Phase::Params)
        | (RecordType::STDIN, Phase::Stdin)
        | (RecordType::DATA, Phase::Data) => Route::Stream,
        _ => Route::Ignore,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(kind: RecordType, id: u16, phase: Phase) -> Route {
        route(&Header::new(kind, id, 0), Some(Active { id: 7, phase }))
    }

    #[test]
    fn without_an_active_request_only_begin_counts() {
        for byte in 0..=255 {
            let kind = RecordType::from_byte(byte);
            let expected = if byte == 1 { Route::Begin } else { Route::Ignore };
            assert_eq!(route(&Header::new(kind, 1, 0), None), expected);
        }
    }

    #[test]
    fn id_zero_is_management_in_every_phase() {
        for phase in [Phase::Params, Phase::Stdin, Phase::Data, Phase::Ended] {
            assert_eq!(at(RecordType::GET_VALUES, 0, phase), Route::GetValues);
            assert_eq!(at(RecordType::BEGIN_REQUEST, 0, phase), Route::UnknownManagement(1));
            assert_eq!(at(RecordType::from_byte(99), 0, phase), Route::UnknownManagement(99));
        }
    }

    #[test]
    fn a_stream_counts_in_its_own_phase_only() {
        assert_eq!(at(RecordType::PARAMS, 7, Phase::Params), Route::Stream);
        assert_eq!(at(RecordType::STDIN, 7, Phase::Params), Route::Ignore);
        assert_eq!(at(RecordType::STDIN, 7, Phase::Stdin), Route::Stream);
        assert_eq!(at(RecordType::STDIN, 7, Phase::Data), Route::Ignore);
        assert_eq!(at(RecordType::DATA, 7, Phase::Data), Route::Stream);
        assert_eq!(at(RecordType::STDIN, 7, Phase::Ended), Route::Ignore);
        assert_eq!(at(RecordType::STDIN, 8, Phase::Stdin), Route::Ignore);
    }

    #[test]
    fn beginnings_and_aborts() {
        assert_eq!(at(RecordType::BEGIN_REQUEST, 8, Phase::Stdin), Route::CannotMultiplex);
        assert_eq!(at(RecordType::BEGIN_REQUEST, 7, Phase::Stdin), Route::BegunTwice);
        assert_eq!(at(RecordType::ABORT_REQUEST, 7, Phase::Stdin), Route::Abort);
        assert_eq!(at(RecordType::ABORT_REQUEST, 8, Phase::Stdin), Route::Ignore);
    }

    #[test]
    fn another_version_is_refused_before_all_else() {
        let header = Header { version: 2, ..Header::new(RecordType::GET_VALUES, 0, 0) };
        assert_eq!(route(&header, None), Route::UnsupportedVersion);
    }
}
