# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_rustvault_server_global_optspecs
    string join \n config= bind= unix-socket= http= users= password-file= allow-unauthenticated= wal= wal-format= fsync= compact-ratio= compact-min-bytes= max-memory= max-connections= max-value-bytes= max-output-bytes= tcp-keepalive= idle-timeout= request-timeout= max-buffer-bytes= reserved-descriptors= threads= cpu-affinity= slow-ms= slow-log-entries= latency-ms= message-format= message-level= tls-bind= tls-http= tls-cert= tls-key= tls-client-ca= tls-client-auth= tls-client-cert-user= tls-min-version= tls-handshake-timeout= tls-max-handshakes= check-config h/help V/version
end

function __fish_rustvault_server_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_rustvault_server_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_rustvault_server_using_subcommand
    set -l cmd (__fish_rustvault_server_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l config -d 'Path of a configuration file in TOML, whose keys are the names of these options; flags and variables count more than the file [default: none]' -r
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l bind -d 'Address to listen on; with port 0 the system chooses a port. For several, repeat the option or separate them by commas' -r
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l unix-socket -d 'Path of a Unix socket to listen on as well, for owner and group (mode 0660) [default: none]' -r
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l http -d 'Address of HTTP: /metrics for Prometheus, and the probes /livez and /readyz. For several, repeat the option or separate them by commas [default: none]' -r
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l users -d 'File of users, which rustvault-cli user writes (mode 0600); with it, clients have to log in [default: none]' -r
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l password-file -d 'Password of the user default, who may do everything; with it, clients have to log in. The flag has the path of its file; the variable RUSTVAULT_PASSWORD has the secret itself [default: none]' -r
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l allow-unauthenticated -d 'Serve addresses beyond loopback although there are no users, so that everybody who reaches them may do everything' -r -f -a "true\t''
false\t''"
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l wal -d 'Path of the write-ahead log, which holds all data; a missing log is created' -r
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l wal-format -d 'Format of the write-ahead log: binary, or json (lines, without checksums); an existing log in another format is converted by its next compaction [default: a new log is binary, an existing one keeps its format]' -r -f -a "binary\t''
json\t''"
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l fsync -d 'Policy by which writes are synced to disk: always (before OK), interval:<DURATION>, or never' -r
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l compact-ratio -d 'Ratio of the log\'s size to that of its live data at which the log is compacted; above 1' -r
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l compact-min-bytes -d 'Least size of a log that is compacted automatically' -r
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l max-memory -d 'Most memory for keys, values and tables; beyond it, writes are refused [default: no limit]' -r
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l max-connections -d 'Most connections at a time; further ones are refused' -r
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l max-value-bytes -d 'Longest accepted value' -r
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l max-output-bytes -d 'Most memory that one connection holds for an answer that its client has not read; a connection that needs more is closed, and so is one whose client has read nothing for 60 seconds' -r
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l tcp-keepalive -d 'Seconds of silence after which the kernel probes if a client\'s machine still exists; 0 for never' -r
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l idle-timeout -d 'Seconds after which a connection is closed if its client sends nothing; 0 for never' -r
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l request-timeout -d 'Seconds in which a request that has begun to arrive must bring its end, or 64 KiB more of it; otherwise its connection is closed; 0 for no limit' -r
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l max-buffer-bytes -d 'Most memory that the buffers of all connections take together, beyond 128 KiB for each; a connection that needs more for a request is closed; at least twice --max-value-bytes' -r
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l reserved-descriptors -d 'Open files, below the limit of the system (ulimit -n), that connections leave free for the log, compactions and reloads; connections that would take them are refused' -r
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l threads -d 'Threads that serve connections; by default one per core' -r
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l cpu-affinity -d 'Pinning of threads to cores: auto (on two cores, the log writer and the first serving thread share one while that is enough for both), or off (no thread is pinned: for several servers on one machine, cpusets, containers with a CPU quota)' -r -f -a "auto\t''
off\t''"
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l slow-ms -d 'Milliseconds from which a command is slow: SLOWLOG and a message report it; a fraction such as 0.5 is accepted, 0 reports none' -r
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l slow-log-entries -d 'Slow commands that SLOWLOG remembers; the oldest are forgotten first' -r
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l latency-ms -d 'Milliseconds from which LATENCY remembers commands, and syncs of the log, of those at least 10 ms; 0 remembers none' -r
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l message-format -d 'Format of the messages on standard error: text for people, or json for programs (an object a line)' -r -f -a "text\t''
json\t''"
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l message-level -d 'Least important messages that are printed' -r -f -a "off\t''
error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l tls-bind -d 'Address to listen on with TLS, beside those without. For several, repeat the option or separate them by commas [default: none: no TLS]' -r
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l tls-http -d 'Address of HTTP over TLS, which serves the same as --http [default: none]' -r
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l tls-cert -d 'Path of the server\'s certificate in PEM, with its intermediate certificates behind it. It is read again at each reload, and when its content changes [default: none]' -r
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l tls-key -d 'Path of the certificate\'s private key in PEM, without a passphrase, readable by the server\'s user alone [default: none]' -r
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l tls-client-ca -d 'Path of the certificates, in PEM, of the authorities that issue client certificates [default: none]' -r
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l tls-client-auth -d 'Demand for client certificates: off, optional (a wrong one is refused, none is not), or required' -r -f -a "off\t''
optional\t''
required\t''"
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l tls-client-cert-user -d 'Field of a client certificate that names the user that the client is logged in as: off, or common-name' -r -f -a "off\t''
common-name\t''"
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l tls-min-version -d 'Oldest version of TLS that is spoken: 1.2 or 1.3' -r -f -a "1.2\t''
1.3\t''"
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l tls-handshake-timeout -d 'Seconds in which a client must end its handshake; one second while as many run as may' -r
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l tls-max-handshakes -d 'Most handshakes at a time; further clients wait to be accepted' -r
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -l check-config -d 'Check the configuration and exit: with 0 if it is valid, with 2 if not. The log is not opened'
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -s V -l version -d 'Print version'
complete -c rustvault-server -n "__fish_rustvault_server_needs_command" -f -a "config" -d 'Show the configuration that these options, the variables and the file make up'
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -l config -d 'Path of a configuration file in TOML, whose keys are the names of these options; flags and variables count more than the file [default: none]' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -l bind -d 'Address to listen on; with port 0 the system chooses a port. For several, repeat the option or separate them by commas' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -l unix-socket -d 'Path of a Unix socket to listen on as well, for owner and group (mode 0660) [default: none]' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -l http -d 'Address of HTTP: /metrics for Prometheus, and the probes /livez and /readyz. For several, repeat the option or separate them by commas [default: none]' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -l users -d 'File of users, which rustvault-cli user writes (mode 0600); with it, clients have to log in [default: none]' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -l password-file -d 'Password of the user default, who may do everything; with it, clients have to log in. The flag has the path of its file; the variable RUSTVAULT_PASSWORD has the secret itself [default: none]' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -l allow-unauthenticated -d 'Serve addresses beyond loopback although there are no users, so that everybody who reaches them may do everything' -r -f -a "true\t''
false\t''"
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -l wal -d 'Path of the write-ahead log, which holds all data; a missing log is created' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -l wal-format -d 'Format of the write-ahead log: binary, or json (lines, without checksums); an existing log in another format is converted by its next compaction [default: a new log is binary, an existing one keeps its format]' -r -f -a "binary\t''
json\t''"
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -l fsync -d 'Policy by which writes are synced to disk: always (before OK), interval:<DURATION>, or never' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -l compact-ratio -d 'Ratio of the log\'s size to that of its live data at which the log is compacted; above 1' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -l compact-min-bytes -d 'Least size of a log that is compacted automatically' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -l max-memory -d 'Most memory for keys, values and tables; beyond it, writes are refused [default: no limit]' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -l max-connections -d 'Most connections at a time; further ones are refused' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -l max-value-bytes -d 'Longest accepted value' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -l max-output-bytes -d 'Most memory that one connection holds for an answer that its client has not read; a connection that needs more is closed, and so is one whose client has read nothing for 60 seconds' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -l tcp-keepalive -d 'Seconds of silence after which the kernel probes if a client\'s machine still exists; 0 for never' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -l idle-timeout -d 'Seconds after which a connection is closed if its client sends nothing; 0 for never' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -l request-timeout -d 'Seconds in which a request that has begun to arrive must bring its end, or 64 KiB more of it; otherwise its connection is closed; 0 for no limit' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -l max-buffer-bytes -d 'Most memory that the buffers of all connections take together, beyond 128 KiB for each; a connection that needs more for a request is closed; at least twice --max-value-bytes' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -l reserved-descriptors -d 'Open files, below the limit of the system (ulimit -n), that connections leave free for the log, compactions and reloads; connections that would take them are refused' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -l threads -d 'Threads that serve connections; by default one per core' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -l cpu-affinity -d 'Pinning of threads to cores: auto (on two cores, the log writer and the first serving thread share one while that is enough for both), or off (no thread is pinned: for several servers on one machine, cpusets, containers with a CPU quota)' -r -f -a "auto\t''
off\t''"
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -l slow-ms -d 'Milliseconds from which a command is slow: SLOWLOG and a message report it; a fraction such as 0.5 is accepted, 0 reports none' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -l slow-log-entries -d 'Slow commands that SLOWLOG remembers; the oldest are forgotten first' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -l latency-ms -d 'Milliseconds from which LATENCY remembers commands, and syncs of the log, of those at least 10 ms; 0 remembers none' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -l message-format -d 'Format of the messages on standard error: text for people, or json for programs (an object a line)' -r -f -a "text\t''
json\t''"
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -l message-level -d 'Least important messages that are printed' -r -f -a "off\t''
error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -l tls-bind -d 'Address to listen on with TLS, beside those without. For several, repeat the option or separate them by commas [default: none: no TLS]' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -l tls-http -d 'Address of HTTP over TLS, which serves the same as --http [default: none]' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -l tls-cert -d 'Path of the server\'s certificate in PEM, with its intermediate certificates behind it. It is read again at each reload, and when its content changes [default: none]' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -l tls-key -d 'Path of the certificate\'s private key in PEM, without a passphrase, readable by the server\'s user alone [default: none]' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -l tls-client-ca -d 'Path of the certificates, in PEM, of the authorities that issue client certificates [default: none]' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -l tls-client-auth -d 'Demand for client certificates: off, optional (a wrong one is refused, none is not), or required' -r -f -a "off\t''
optional\t''
required\t''"
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -l tls-client-cert-user -d 'Field of a client certificate that names the user that the client is logged in as: off, or common-name' -r -f -a "off\t''
common-name\t''"
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -l tls-min-version -d 'Oldest version of TLS that is spoken: 1.2 or 1.3' -r -f -a "1.2\t''
1.3\t''"
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -l tls-handshake-timeout -d 'Seconds in which a client must end its handshake; one second while as many run as may' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -l tls-max-handshakes -d 'Most handshakes at a time; further clients wait to be accepted' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and not __fish_seen_subcommand_from show" -f -a "show" -d 'Print the value of each option, as the configuration file has it'
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l config -d 'Path of a configuration file in TOML, whose keys are the names of these options; flags and variables count more than the file [default: none]' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l bind -d 'Address to listen on; with port 0 the system chooses a port. For several, repeat the option or separate them by commas' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l unix-socket -d 'Path of a Unix socket to listen on as well, for owner and group (mode 0660) [default: none]' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l http -d 'Address of HTTP: /metrics for Prometheus, and the probes /livez and /readyz. For several, repeat the option or separate them by commas [default: none]' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l users -d 'File of users, which rustvault-cli user writes (mode 0600); with it, clients have to log in [default: none]' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l password-file -d 'Password of the user default, who may do everything; with it, clients have to log in. The flag has the path of its file; the variable RUSTVAULT_PASSWORD has the secret itself [default: none]' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l allow-unauthenticated -d 'Serve addresses beyond loopback although there are no users, so that everybody who reaches them may do everything' -r -f -a "true\t''
false\t''"
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l wal -d 'Path of the write-ahead log, which holds all data; a missing log is created' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l wal-format -d 'Format of the write-ahead log: binary, or json (lines, without checksums); an existing log in another format is converted by its next compaction [default: a new log is binary, an existing one keeps its format]' -r -f -a "binary\t''
json\t''"
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l fsync -d 'Policy by which writes are synced to disk: always (before OK), interval:<DURATION>, or never' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l compact-ratio -d 'Ratio of the log\'s size to that of its live data at which the log is compacted; above 1' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l compact-min-bytes -d 'Least size of a log that is compacted automatically' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l max-memory -d 'Most memory for keys, values and tables; beyond it, writes are refused [default: no limit]' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l max-connections -d 'Most connections at a time; further ones are refused' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l max-value-bytes -d 'Longest accepted value' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l max-output-bytes -d 'Most memory that one connection holds for an answer that its client has not read; a connection that needs more is closed, and so is one whose client has read nothing for 60 seconds' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l tcp-keepalive -d 'Seconds of silence after which the kernel probes if a client\'s machine still exists; 0 for never' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l idle-timeout -d 'Seconds after which a connection is closed if its client sends nothing; 0 for never' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l request-timeout -d 'Seconds in which a request that has begun to arrive must bring its end, or 64 KiB more of it; otherwise its connection is closed; 0 for no limit' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l max-buffer-bytes -d 'Most memory that the buffers of all connections take together, beyond 128 KiB for each; a connection that needs more for a request is closed; at least twice --max-value-bytes' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l reserved-descriptors -d 'Open files, below the limit of the system (ulimit -n), that connections leave free for the log, compactions and reloads; connections that would take them are refused' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l threads -d 'Threads that serve connections; by default one per core' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l cpu-affinity -d 'Pinning of threads to cores: auto (on two cores, the log writer and the first serving thread share one while that is enough for both), or off (no thread is pinned: for several servers on one machine, cpusets, containers with a CPU quota)' -r -f -a "auto\t''
off\t''"
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l slow-ms -d 'Milliseconds from which a command is slow: SLOWLOG and a message report it; a fraction such as 0.5 is accepted, 0 reports none' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l slow-log-entries -d 'Slow commands that SLOWLOG remembers; the oldest are forgotten first' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l latency-ms -d 'Milliseconds from which LATENCY remembers commands, and syncs of the log, of those at least 10 ms; 0 remembers none' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l message-format -d 'Format of the messages on standard error: text for people, or json for programs (an object a line)' -r -f -a "text\t''
json\t''"
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l message-level -d 'Least important messages that are printed' -r -f -a "off\t''
error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l tls-bind -d 'Address to listen on with TLS, beside those without. For several, repeat the option or separate them by commas [default: none: no TLS]' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l tls-http -d 'Address of HTTP over TLS, which serves the same as --http [default: none]' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l tls-cert -d 'Path of the server\'s certificate in PEM, with its intermediate certificates behind it. It is read again at each reload, and when its content changes [default: none]' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l tls-key -d 'Path of the certificate\'s private key in PEM, without a passphrase, readable by the server\'s user alone [default: none]' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l tls-client-ca -d 'Path of the certificates, in PEM, of the authorities that issue client certificates [default: none]' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l tls-client-auth -d 'Demand for client certificates: off, optional (a wrong one is refused, none is not), or required' -r -f -a "off\t''
optional\t''
required\t''"
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l tls-client-cert-user -d 'Field of a client certificate that names the user that the client is logged in as: off, or common-name' -r -f -a "off\t''
common-name\t''"
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l tls-min-version -d 'Oldest version of TLS that is spoken: 1.2 or 1.3' -r -f -a "1.2\t''
1.3\t''"
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l tls-handshake-timeout -d 'Seconds in which a client must end its handshake; one second while as many run as may' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l tls-max-handshakes -d 'Most handshakes at a time; further clients wait to be accepted' -r
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -l origin -d 'Say of each value where it comes from: a flag, a variable, a line of the file, or the default'
complete -c rustvault-server -n "__fish_rustvault_server_using_subcommand config; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
