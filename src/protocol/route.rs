//! What a record means to the application, given the active request.

use super::record::{Header, NULL_REQUEST_ID, RecordType, VERSION};

/// How far the input of a request has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// After BEGIN_REQUEST: the parameters are next.
    Params,
    /// After the end of PARAMS: the body is next.
    Stdin,
    /// The program has moved on to the file of a Filter.
    Data,
    /// The current stream has ended; records for the request are ignored.
    Ended,
}

/// A request that has begun and has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Active {
    /// Its request id.
    pub id: u16,
    /// How far it has come.
    pub phase: Phase,
}

/// What a record is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Begins a request.
    Begin,
    /// Belongs to the stream that the active request reads; an empty record ends the stream.
    Stream,
    /// Aborts the active request.
    Abort,
    /// GET_VALUES, to answer once its content has arrived.
    GetValues,
    /// A management record of another type, to answer with UNKNOWN_TYPE.
    UnknownManagement(u8),
    /// Begins a request while another is active, to answer with CANT_MPX_CONN for its id.
    CannotMultiplex,
    /// Begins the active request again: the connection cannot be trusted any more.
    BegunTwice,
    /// Another version of the protocol: nothing after this header can be understood.
    UnsupportedVersion,
    /// To be skipped: out of place, or of a request that is not active.
    Ignore,
}

/// Returns what the record of `header` is for while `active` is the request of this connection (specification
/// 3.3: records of inactive requests are ignored; 4: id 0 is management).
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
