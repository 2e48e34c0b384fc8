%% Erlang's side of the benchmarks: servers under the name `server`, a backup, and requesters.
%%
%%   run echo                    replies with what it gets
%%   run backup                  stores what a primary sends, and says so
%%   run primary BACKUP          stores, sends it to the backup's node, and replies when the backup has it; it does not wait
%%   run requester NODE COUNT    so many processes, each with one gen_server:call at a time
%%
%% Standard input of the requester: length, outstanding (not used: a process is a requester), milliseconds, 32 bits each.
%% Standard output: nanoseconds (64 bits), number of requests (32 bits), nanoseconds of each (32 bits each).
-module(bench).
-behaviour(gen_server).
-export([run/1, init/1, handle_call/3, handle_cast/2]).

-define(ENTRIES, 16384).

run([requester, Node, Count]) ->
    run(["requester", atom_to_list(Node), atom_to_list(Count)]);
run(["requester", Node, Count]) ->
    Server = {server, list_to_atom(Node)},
    connect(list_to_atom(Node)),
    Port = open_port({fd, 0, 1}, [binary, stream, eof]),
    listen(Port, <<>>, Server, list_to_integer(Count));
run(["backup"]) ->
    {ok, _} = gen_server:start({local, backup}, ?MODULE, backup, []),
    receive stop -> ok end;
run(["primary", Backup]) ->
    connect(list_to_atom(Backup)),
    {ok, _} = gen_server:start({local, server}, ?MODULE, {primary, {backup, list_to_atom(Backup)}}, []),
    receive stop -> ok end;
run(["echo"]) ->
    {ok, _} = gen_server:start({local, server}, ?MODULE, echo, []),
    receive stop -> ok end.

connect(Node) ->
    case net_kernel:connect_node(Node) of
        true -> ok;
        _ -> timer:sleep(20), connect(Node)
    end.

init(Role) ->
    ets:new(entries, [named_table]),
    {ok, Role}.

handle_call({ask, Bytes}, _From, echo) ->
    {reply, Bytes, echo};
handle_call({store, Key, Bytes}, From, {primary, Backup} = Role) ->
    ets:insert(entries, {Key, Bytes}),
    gen_server:cast(Backup, {store, Key, Bytes, From, self()}),
    {noreply, Role}.

handle_cast({store, Key, Bytes, From, Primary}, backup) ->
    ets:insert(entries, {Key, Bytes}),
    gen_server:cast(Primary, {stored, From, Bytes}),
    {noreply, backup};
handle_cast({stored, From, Bytes}, Role) ->
    gen_server:reply(From, Bytes),
    {noreply, Role}.

listen(Port, Arrived, Server, Count) ->
    receive
        {Port, eof} ->
            halt(0);
        {Port, {data, More}} ->
            case <<Arrived/binary, More/binary>> of
                <<Length:32/native, _:32/native, Milliseconds:32/native, Rest/binary>> ->
                    measure(Port, Server, Count, Length, Milliseconds),
                    listen(Port, Rest, Server, Count);
                Few ->
                    listen(Port, Few, Server, Count)
            end
    end.

measure(Port, Server, Count, Length, Milliseconds) ->
    Begin = erlang:monotonic_time(nanosecond),
    End = Begin + Milliseconds * 1000000,
    Bytes = <<0:(Length * 8)>>,
    Self = self(),
    Pids = [spawn_link(fun() -> Self ! {self(), ask(Server, Bytes, Number, End, [])} end)
            || Number <- lists:seq(1, Count)],
    All = lists:append([receive {Pid, Latencies} -> Latencies end || Pid <- Pids]),
    Elapsed = erlang:monotonic_time(nanosecond) - Begin,
    Latencies = << <<One:32/native>> || One <- All >>,
    port_command(Port, [<<Elapsed:64/native, (length(All)):32/native>>, Latencies]).

ask({server, Node} = Server, Bytes, Number, End, Latencies) ->
    Before = erlang:monotonic_time(nanosecond),
    Bytes = gen_server:call(Server, question(Node, Number, Bytes), infinity),
    After = erlang:monotonic_time(nanosecond),
    case After < End of
        true -> ask(Server, Bytes, Number + 64, End, [After - Before | Latencies]);
        false -> [After - Before | Latencies]
    end.

%% The name of a node says what its server does.
question(Node, Number, Bytes) ->
    case atom_to_list(Node) of
        "echo" ++ _ -> {ask, Bytes};
        _ -> {store, Number rem ?ENTRIES, Bytes}
    end.
