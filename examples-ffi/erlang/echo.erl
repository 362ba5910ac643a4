%% Serves the listen socket on descriptor 0: answers with parameters and the body.
-module(echo).

-export([start/0]).
-on_load(load/0).
-nifs([new/1, next/1, params/1, read/1, write/2, log/2, finish/2]).

load() ->
    erlang:load_nif("./echo_nif", 0).

new(_Socket) -> erlang:nif_error(not_loaded).
next(_Request) -> erlang:nif_error(not_loaded).
params(_Request) -> erlang:nif_error(not_loaded).
read(_Request) -> erlang:nif_error(not_loaded).
write(_Request, _Data) -> erlang:nif_error(not_loaded).
log(_Request, _Text) -> erlang:nif_error(not_loaded).
finish(_Request, _Status) -> erlang:nif_error(not_loaded).

start() ->
    loop(new(0)).

loop(Request) ->
    case next(Request) of
        shut_down ->
            halt(0);
        ok ->
            try
                serve(Request, params(Request))
            catch
                error:{fcgi, Text} -> io:format(standard_error, "echo: ~s~n", [Text])
            end,
            loop(Request)
    end.

serve(Request, Params) ->
    Query = proplists:get_value(<<"QUERY_STRING">>, Params, <<>>),
    write(Request, [
        <<"Content-Type: application/octet-stream\r\n">>,
        [<<"X-Method: ">>, proplists:get_value(<<"REQUEST_METHOD">>, Params, <<>>), <<"\r\n">>],
        [<<"X-Query: ">>, Query, <<"\r\n">>],
        [<<"X-Params: ">>, integer_to_binary(length(Params)), <<"\r\n">>],
        [[<<"X-Value: ">>, Value, <<"\r\n">>] || {Name, Value} <- Params, Name =:= Query],
        <<"\r\n">>
    ]),
    copy(Request, read(Request)),
    log(Request, <<"served by Erlang\n">>),
    finish(Request, status(Query)).

copy(_Request, <<>>) ->
    ok;
copy(Request, Piece) ->
    write(Request, Piece),
    copy(Request, read(Request)).

status(<<"status=7">>) -> 7;
status(_Query) -> 0.
