# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_rustvault_cli_global_optspecs
    string join \n addr= timeout= json user= password-file= tls ca= cert= key= server-name= h/help V/version
end

function __fish_rustvault_cli_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_rustvault_cli_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_rustvault_cli_using_subcommand
    set -l cmd (__fish_rustvault_cli_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c rustvault-cli -n "__fish_rustvault_cli_needs_command" -l addr -d 'The server\'s address; unix:PATH for a Unix socket, rustvaults://HOST:PORT for TLS' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_needs_command" -l timeout -d 'How long to wait for a connection, and then for each answer (but that of compact), such as 500ms, 5s or 1m' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_needs_command" -l user -d 'Log in as this user (or RUSTVAULT_USER). The password, or token, comes from --password-file, from RUSTVAULT_PASSWORD, or from you at the terminal; never from an argument, which others see' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_needs_command" -l password-file -d 'The file of the password, or token (or RUSTVAULT_PASSWORD_FILE); without --user it is that of the user default' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_needs_command" -l ca -d 'Trust the certificates of this PEM file, instead of those that the system trusts' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_needs_command" -l cert -d 'The client\'s own certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_needs_command" -l key -d 'The key of that certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_needs_command" -l server-name -d 'The name that the server\'s certificate is for [default: the host of the address]' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_needs_command" -l json -d 'Print results and errors as JSON, for scripts'
complete -c rustvault-cli -n "__fish_rustvault_cli_needs_command" -l tls -d 'Speak TLS, as with an address rustvaults://HOST:PORT; implied by the next four options'
complete -c rustvault-cli -n "__fish_rustvault_cli_needs_command" -s h -l help -d 'Print help'
complete -c rustvault-cli -n "__fish_rustvault_cli_needs_command" -s V -l version -d 'Print version'
complete -c rustvault-cli -n "__fish_rustvault_cli_needs_command" -f -a "set" -d 'Store VALUE under KEY; prints OK'
complete -c rustvault-cli -n "__fish_rustvault_cli_needs_command" -f -a "get" -d 'Print the value of KEY and a newline, or (nil)'
complete -c rustvault-cli -n "__fish_rustvault_cli_needs_command" -f -a "delete" -d 'Remove KEY; prints OK, or (nil) if it was not there'
complete -c rustvault-cli -n "__fish_rustvault_cli_needs_command" -f -a "exists" -d 'Print OK if KEY is there, or (nil)'
complete -c rustvault-cli -n "__fish_rustvault_cli_needs_command" -f -a "count" -d 'Print the number of keys'
complete -c rustvault-cli -n "__fish_rustvault_cli_needs_command" -f -a "scan" -d 'Print the keys, one a line, in no particular order'
complete -c rustvault-cli -n "__fish_rustvault_cli_needs_command" -f -a "ping" -d 'Ask whether the server is there; prints PONG'
complete -c rustvault-cli -n "__fish_rustvault_cli_needs_command" -f -a "info" -d 'Print the server\'s state as name=value lines'
complete -c rustvault-cli -n "__fish_rustvault_cli_needs_command" -f -a "compact" -d 'Have the server rewrite its log as the live data; prints OK once that has ended'
complete -c rustvault-cli -n "__fish_rustvault_cli_needs_command" -f -a "export" -d 'Print all keys and values as JSON, a line for each key'
complete -c rustvault-cli -n "__fish_rustvault_cli_needs_command" -f -a "import" -d 'Store the keys and values of JSON lines as export prints them'
complete -c rustvault-cli -n "__fish_rustvault_cli_needs_command" -f -a "bench" -d 'Generate load, then print throughput and latencies'
complete -c rustvault-cli -n "__fish_rustvault_cli_needs_command" -f -a "wal" -d 'Look at, check, read out, fill, convert or repair a log file that no server has open'
complete -c rustvault-cli -n "__fish_rustvault_cli_needs_command" -f -a "user" -d 'Manage a file of users: who may log in to a server, and what they may do'
complete -c rustvault-cli -n "__fish_rustvault_cli_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand set" -l addr -d 'The server\'s address; unix:PATH for a Unix socket, rustvaults://HOST:PORT for TLS' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand set" -l timeout -d 'How long to wait for a connection, and then for each answer (but that of compact), such as 500ms, 5s or 1m' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand set" -l user -d 'Log in as this user (or RUSTVAULT_USER). The password, or token, comes from --password-file, from RUSTVAULT_PASSWORD, or from you at the terminal; never from an argument, which others see' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand set" -l password-file -d 'The file of the password, or token (or RUSTVAULT_PASSWORD_FILE); without --user it is that of the user default' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand set" -l ca -d 'Trust the certificates of this PEM file, instead of those that the system trusts' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand set" -l cert -d 'The client\'s own certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand set" -l key -d 'The key of that certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand set" -l server-name -d 'The name that the server\'s certificate is for [default: the host of the address]' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand set" -l stdin -d 'Store standard input, byte for byte, instead of VALUE (at most 1 GiB)'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand set" -l help -d 'Print help'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand set" -l json -d 'Print results and errors as JSON, for scripts'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand set" -l tls -d 'Speak TLS, as with an address rustvaults://HOST:PORT; implied by the next four options'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand get" -l prefix -d 'Print all keys that start with PREFIX, each with its value, as a session\'s set takes them' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand get" -l addr -d 'The server\'s address; unix:PATH for a Unix socket, rustvaults://HOST:PORT for TLS' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand get" -l timeout -d 'How long to wait for a connection, and then for each answer (but that of compact), such as 500ms, 5s or 1m' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand get" -l user -d 'Log in as this user (or RUSTVAULT_USER). The password, or token, comes from --password-file, from RUSTVAULT_PASSWORD, or from you at the terminal; never from an argument, which others see' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand get" -l password-file -d 'The file of the password, or token (or RUSTVAULT_PASSWORD_FILE); without --user it is that of the user default' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand get" -l ca -d 'Trust the certificates of this PEM file, instead of those that the system trusts' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand get" -l cert -d 'The client\'s own certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand get" -l key -d 'The key of that certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand get" -l server-name -d 'The name that the server\'s certificate is for [default: the host of the address]' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand get" -l raw -d 'Write exactly the value\'s bytes: no newline, and nothing for a missing key'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand get" -l json -d 'Print results and errors as JSON, for scripts'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand get" -l tls -d 'Speak TLS, as with an address rustvaults://HOST:PORT; implied by the next four options'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand get" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand delete" -l prefix -d 'Remove all keys that start with PREFIX, once that was agreed to; prints how many were removed' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand delete" -l addr -d 'The server\'s address; unix:PATH for a Unix socket, rustvaults://HOST:PORT for TLS' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand delete" -l timeout -d 'How long to wait for a connection, and then for each answer (but that of compact), such as 500ms, 5s or 1m' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand delete" -l user -d 'Log in as this user (or RUSTVAULT_USER). The password, or token, comes from --password-file, from RUSTVAULT_PASSWORD, or from you at the terminal; never from an argument, which others see' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand delete" -l password-file -d 'The file of the password, or token (or RUSTVAULT_PASSWORD_FILE); without --user it is that of the user default' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand delete" -l ca -d 'Trust the certificates of this PEM file, instead of those that the system trusts' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand delete" -l cert -d 'The client\'s own certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand delete" -l key -d 'The key of that certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand delete" -l server-name -d 'The name that the server\'s certificate is for [default: the host of the address]' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand delete" -l yes -d 'Do not ask'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand delete" -l json -d 'Print results and errors as JSON, for scripts'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand delete" -l tls -d 'Speak TLS, as with an address rustvaults://HOST:PORT; implied by the next four options'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand delete" -s h -l help -d 'Print help'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand exists" -l addr -d 'The server\'s address; unix:PATH for a Unix socket, rustvaults://HOST:PORT for TLS' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand exists" -l timeout -d 'How long to wait for a connection, and then for each answer (but that of compact), such as 500ms, 5s or 1m' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand exists" -l user -d 'Log in as this user (or RUSTVAULT_USER). The password, or token, comes from --password-file, from RUSTVAULT_PASSWORD, or from you at the terminal; never from an argument, which others see' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand exists" -l password-file -d 'The file of the password, or token (or RUSTVAULT_PASSWORD_FILE); without --user it is that of the user default' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand exists" -l ca -d 'Trust the certificates of this PEM file, instead of those that the system trusts' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand exists" -l cert -d 'The client\'s own certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand exists" -l key -d 'The key of that certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand exists" -l server-name -d 'The name that the server\'s certificate is for [default: the host of the address]' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand exists" -l json -d 'Print results and errors as JSON, for scripts'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand exists" -l tls -d 'Speak TLS, as with an address rustvaults://HOST:PORT; implied by the next four options'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand exists" -s h -l help -d 'Print help'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand count" -l addr -d 'The server\'s address; unix:PATH for a Unix socket, rustvaults://HOST:PORT for TLS' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand count" -l timeout -d 'How long to wait for a connection, and then for each answer (but that of compact), such as 500ms, 5s or 1m' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand count" -l user -d 'Log in as this user (or RUSTVAULT_USER). The password, or token, comes from --password-file, from RUSTVAULT_PASSWORD, or from you at the terminal; never from an argument, which others see' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand count" -l password-file -d 'The file of the password, or token (or RUSTVAULT_PASSWORD_FILE); without --user it is that of the user default' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand count" -l ca -d 'Trust the certificates of this PEM file, instead of those that the system trusts' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand count" -l cert -d 'The client\'s own certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand count" -l key -d 'The key of that certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand count" -l server-name -d 'The name that the server\'s certificate is for [default: the host of the address]' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand count" -l json -d 'Print results and errors as JSON, for scripts'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand count" -l tls -d 'Speak TLS, as with an address rustvaults://HOST:PORT; implied by the next four options'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand count" -s h -l help -d 'Print help'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand scan" -l prefix -d 'Only keys that start with PREFIX' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand scan" -l limit -d 'At most N keys in all [default: no limit]' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand scan" -l addr -d 'The server\'s address; unix:PATH for a Unix socket, rustvaults://HOST:PORT for TLS' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand scan" -l timeout -d 'How long to wait for a connection, and then for each answer (but that of compact), such as 500ms, 5s or 1m' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand scan" -l user -d 'Log in as this user (or RUSTVAULT_USER). The password, or token, comes from --password-file, from RUSTVAULT_PASSWORD, or from you at the terminal; never from an argument, which others see' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand scan" -l password-file -d 'The file of the password, or token (or RUSTVAULT_PASSWORD_FILE); without --user it is that of the user default' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand scan" -l ca -d 'Trust the certificates of this PEM file, instead of those that the system trusts' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand scan" -l cert -d 'The client\'s own certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand scan" -l key -d 'The key of that certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand scan" -l server-name -d 'The name that the server\'s certificate is for [default: the host of the address]' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand scan" -l json -d 'Print results and errors as JSON, for scripts'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand scan" -l tls -d 'Speak TLS, as with an address rustvaults://HOST:PORT; implied by the next four options'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand scan" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand ping" -l addr -d 'The server\'s address; unix:PATH for a Unix socket, rustvaults://HOST:PORT for TLS' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand ping" -l timeout -d 'How long to wait for a connection, and then for each answer (but that of compact), such as 500ms, 5s or 1m' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand ping" -l user -d 'Log in as this user (or RUSTVAULT_USER). The password, or token, comes from --password-file, from RUSTVAULT_PASSWORD, or from you at the terminal; never from an argument, which others see' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand ping" -l password-file -d 'The file of the password, or token (or RUSTVAULT_PASSWORD_FILE); without --user it is that of the user default' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand ping" -l ca -d 'Trust the certificates of this PEM file, instead of those that the system trusts' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand ping" -l cert -d 'The client\'s own certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand ping" -l key -d 'The key of that certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand ping" -l server-name -d 'The name that the server\'s certificate is for [default: the host of the address]' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand ping" -l json -d 'Print results and errors as JSON, for scripts'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand ping" -l tls -d 'Speak TLS, as with an address rustvaults://HOST:PORT; implied by the next four options'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand ping" -s h -l help -d 'Print help'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand info" -l addr -d 'The server\'s address; unix:PATH for a Unix socket, rustvaults://HOST:PORT for TLS' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand info" -l timeout -d 'How long to wait for a connection, and then for each answer (but that of compact), such as 500ms, 5s or 1m' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand info" -l user -d 'Log in as this user (or RUSTVAULT_USER). The password, or token, comes from --password-file, from RUSTVAULT_PASSWORD, or from you at the terminal; never from an argument, which others see' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand info" -l password-file -d 'The file of the password, or token (or RUSTVAULT_PASSWORD_FILE); without --user it is that of the user default' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand info" -l ca -d 'Trust the certificates of this PEM file, instead of those that the system trusts' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand info" -l cert -d 'The client\'s own certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand info" -l key -d 'The key of that certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand info" -l server-name -d 'The name that the server\'s certificate is for [default: the host of the address]' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand info" -l json -d 'Print results and errors as JSON, for scripts'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand info" -l tls -d 'Speak TLS, as with an address rustvaults://HOST:PORT; implied by the next four options'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand info" -s h -l help -d 'Print help'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand compact" -l addr -d 'The server\'s address; unix:PATH for a Unix socket, rustvaults://HOST:PORT for TLS' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand compact" -l timeout -d 'How long to wait for a connection, and then for each answer (but that of compact), such as 500ms, 5s or 1m' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand compact" -l user -d 'Log in as this user (or RUSTVAULT_USER). The password, or token, comes from --password-file, from RUSTVAULT_PASSWORD, or from you at the terminal; never from an argument, which others see' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand compact" -l password-file -d 'The file of the password, or token (or RUSTVAULT_PASSWORD_FILE); without --user it is that of the user default' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand compact" -l ca -d 'Trust the certificates of this PEM file, instead of those that the system trusts' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand compact" -l cert -d 'The client\'s own certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand compact" -l key -d 'The key of that certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand compact" -l server-name -d 'The name that the server\'s certificate is for [default: the host of the address]' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand compact" -l json -d 'Print results and errors as JSON, for scripts'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand compact" -l tls -d 'Speak TLS, as with an address rustvaults://HOST:PORT; implied by the next four options'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand compact" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand export" -l prefix -d 'Only keys that start with PREFIX' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand export" -l addr -d 'The server\'s address; unix:PATH for a Unix socket, rustvaults://HOST:PORT for TLS' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand export" -l timeout -d 'How long to wait for a connection, and then for each answer (but that of compact), such as 500ms, 5s or 1m' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand export" -l user -d 'Log in as this user (or RUSTVAULT_USER). The password, or token, comes from --password-file, from RUSTVAULT_PASSWORD, or from you at the terminal; never from an argument, which others see' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand export" -l password-file -d 'The file of the password, or token (or RUSTVAULT_PASSWORD_FILE); without --user it is that of the user default' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand export" -l ca -d 'Trust the certificates of this PEM file, instead of those that the system trusts' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand export" -l cert -d 'The client\'s own certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand export" -l key -d 'The key of that certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand export" -l server-name -d 'The name that the server\'s certificate is for [default: the host of the address]' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand export" -l json -d 'Print results and errors as JSON, for scripts'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand export" -l tls -d 'Speak TLS, as with an address rustvaults://HOST:PORT; implied by the next four options'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand export" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand import" -l addr -d 'The server\'s address; unix:PATH for a Unix socket, rustvaults://HOST:PORT for TLS' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand import" -l timeout -d 'How long to wait for a connection, and then for each answer (but that of compact), such as 500ms, 5s or 1m' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand import" -l user -d 'Log in as this user (or RUSTVAULT_USER). The password, or token, comes from --password-file, from RUSTVAULT_PASSWORD, or from you at the terminal; never from an argument, which others see' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand import" -l password-file -d 'The file of the password, or token (or RUSTVAULT_PASSWORD_FILE); without --user it is that of the user default' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand import" -l ca -d 'Trust the certificates of this PEM file, instead of those that the system trusts' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand import" -l cert -d 'The client\'s own certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand import" -l key -d 'The key of that certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand import" -l server-name -d 'The name that the server\'s certificate is for [default: the host of the address]' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand import" -l keep-existing -d 'Keep the values of keys that are there already'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand import" -l json -d 'Print results and errors as JSON, for scripts'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand import" -l tls -d 'Speak TLS, as with an address rustvaults://HOST:PORT; implied by the next four options'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand import" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand bench" -l protocol -d 'What the server speaks' -r -f -a "text\t'RustVault\'s own'
resp\t'Redis\'s; any server of it can be loaded'"
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand bench" -l clients -d 'Connections, each with its own loop' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand bench" -l pipeline -d 'Requests that a connection sends before it reads the answers' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand bench" -l requests -d 'Requests in all, split over the connections' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand bench" -l value-bytes -d 'Size of the values written, such as 64, 16KiB or 1MiB' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand bench" -l keys -d 'Number of different keys' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand bench" -l reads -d 'How many of 100 requests are GET, the others are SET' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand bench" -l addr -d 'The server\'s address; unix:PATH for a Unix socket, rustvaults://HOST:PORT for TLS' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand bench" -l timeout -d 'How long to wait for a connection, and then for each answer (but that of compact), such as 500ms, 5s or 1m' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand bench" -l user -d 'Log in as this user (or RUSTVAULT_USER). The password, or token, comes from --password-file, from RUSTVAULT_PASSWORD, or from you at the terminal; never from an argument, which others see' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand bench" -l password-file -d 'The file of the password, or token (or RUSTVAULT_PASSWORD_FILE); without --user it is that of the user default' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand bench" -l ca -d 'Trust the certificates of this PEM file, instead of those that the system trusts' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand bench" -l cert -d 'The client\'s own certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand bench" -l key -d 'The key of that certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand bench" -l server-name -d 'The name that the server\'s certificate is for [default: the host of the address]' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand bench" -l json -d 'Print results and errors as JSON, for scripts'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand bench" -l tls -d 'Speak TLS, as with an address rustvaults://HOST:PORT; implied by the next four options'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand bench" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and not __fish_seen_subcommand_from inspect verify dump load convert repair help" -l addr -d 'The server\'s address; unix:PATH for a Unix socket, rustvaults://HOST:PORT for TLS' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and not __fish_seen_subcommand_from inspect verify dump load convert repair help" -l timeout -d 'How long to wait for a connection, and then for each answer (but that of compact), such as 500ms, 5s or 1m' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and not __fish_seen_subcommand_from inspect verify dump load convert repair help" -l user -d 'Log in as this user (or RUSTVAULT_USER). The password, or token, comes from --password-file, from RUSTVAULT_PASSWORD, or from you at the terminal; never from an argument, which others see' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and not __fish_seen_subcommand_from inspect verify dump load convert repair help" -l password-file -d 'The file of the password, or token (or RUSTVAULT_PASSWORD_FILE); without --user it is that of the user default' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and not __fish_seen_subcommand_from inspect verify dump load convert repair help" -l ca -d 'Trust the certificates of this PEM file, instead of those that the system trusts' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and not __fish_seen_subcommand_from inspect verify dump load convert repair help" -l cert -d 'The client\'s own certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and not __fish_seen_subcommand_from inspect verify dump load convert repair help" -l key -d 'The key of that certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and not __fish_seen_subcommand_from inspect verify dump load convert repair help" -l server-name -d 'The name that the server\'s certificate is for [default: the host of the address]' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and not __fish_seen_subcommand_from inspect verify dump load convert repair help" -l json -d 'Print results and errors as JSON, for scripts'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and not __fish_seen_subcommand_from inspect verify dump load convert repair help" -l tls -d 'Speak TLS, as with an address rustvaults://HOST:PORT; implied by the next four options'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and not __fish_seen_subcommand_from inspect verify dump load convert repair help" -s h -l help -d 'Print help'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and not __fish_seen_subcommand_from inspect verify dump load convert repair help" -f -a "inspect" -d 'Print what the log is made of: header, batches, LSNs, epochs, sizes, damage'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and not __fish_seen_subcommand_from inspect verify dump load convert repair help" -f -a "verify" -d 'Check all of the log; a torn tail, as a crash leaves it, is no damage'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and not __fish_seen_subcommand_from inspect verify dump load convert repair help" -f -a "dump" -d 'Write all records as lines of JSON to standard output: a log of the json format'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and not __fish_seen_subcommand_from inspect verify dump load convert repair help" -f -a "load" -d 'Write the records of lines of JSON, as dump prints them, to the end of a log, or into a new one'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and not __fish_seen_subcommand_from inspect verify dump load convert repair help" -f -a "convert" -d 'Write the log anew in another format, in its place'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and not __fish_seen_subcommand_from inspect verify dump load convert repair help" -f -a "repair" -d 'Cut a damaged log off where the damage begins, so that it opens again'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and not __fish_seen_subcommand_from inspect verify dump load convert repair help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from inspect" -l addr -d 'The server\'s address; unix:PATH for a Unix socket, rustvaults://HOST:PORT for TLS' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from inspect" -l timeout -d 'How long to wait for a connection, and then for each answer (but that of compact), such as 500ms, 5s or 1m' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from inspect" -l user -d 'Log in as this user (or RUSTVAULT_USER). The password, or token, comes from --password-file, from RUSTVAULT_PASSWORD, or from you at the terminal; never from an argument, which others see' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from inspect" -l password-file -d 'The file of the password, or token (or RUSTVAULT_PASSWORD_FILE); without --user it is that of the user default' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from inspect" -l ca -d 'Trust the certificates of this PEM file, instead of those that the system trusts' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from inspect" -l cert -d 'The client\'s own certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from inspect" -l key -d 'The key of that certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from inspect" -l server-name -d 'The name that the server\'s certificate is for [default: the host of the address]' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from inspect" -l batches -d 'Print a line for each batch, before the summary'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from inspect" -l json -d 'Print results and errors as JSON, for scripts'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from inspect" -l tls -d 'Speak TLS, as with an address rustvaults://HOST:PORT; implied by the next four options'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from inspect" -s h -l help -d 'Print help'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from verify" -l addr -d 'The server\'s address; unix:PATH for a Unix socket, rustvaults://HOST:PORT for TLS' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from verify" -l timeout -d 'How long to wait for a connection, and then for each answer (but that of compact), such as 500ms, 5s or 1m' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from verify" -l user -d 'Log in as this user (or RUSTVAULT_USER). The password, or token, comes from --password-file, from RUSTVAULT_PASSWORD, or from you at the terminal; never from an argument, which others see' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from verify" -l password-file -d 'The file of the password, or token (or RUSTVAULT_PASSWORD_FILE); without --user it is that of the user default' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from verify" -l ca -d 'Trust the certificates of this PEM file, instead of those that the system trusts' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from verify" -l cert -d 'The client\'s own certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from verify" -l key -d 'The key of that certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from verify" -l server-name -d 'The name that the server\'s certificate is for [default: the host of the address]' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from verify" -l json -d 'Print results and errors as JSON, for scripts'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from verify" -l tls -d 'Speak TLS, as with an address rustvaults://HOST:PORT; implied by the next four options'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from dump" -l addr -d 'The server\'s address; unix:PATH for a Unix socket, rustvaults://HOST:PORT for TLS' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from dump" -l timeout -d 'How long to wait for a connection, and then for each answer (but that of compact), such as 500ms, 5s or 1m' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from dump" -l user -d 'Log in as this user (or RUSTVAULT_USER). The password, or token, comes from --password-file, from RUSTVAULT_PASSWORD, or from you at the terminal; never from an argument, which others see' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from dump" -l password-file -d 'The file of the password, or token (or RUSTVAULT_PASSWORD_FILE); without --user it is that of the user default' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from dump" -l ca -d 'Trust the certificates of this PEM file, instead of those that the system trusts' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from dump" -l cert -d 'The client\'s own certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from dump" -l key -d 'The key of that certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from dump" -l server-name -d 'The name that the server\'s certificate is for [default: the host of the address]' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from dump" -l json -d 'Print results and errors as JSON, for scripts'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from dump" -l tls -d 'Speak TLS, as with an address rustvaults://HOST:PORT; implied by the next four options'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from dump" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from load" -l wal-format -d 'How the log is encoded; another format than it has takes effect when it is compacted [default: a new log is binary, another keeps its format]' -r -f -a "binary\t'Checksummed batches of binary records'
json\t'A line of JSON for each record'"
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from load" -l addr -d 'The server\'s address; unix:PATH for a Unix socket, rustvaults://HOST:PORT for TLS' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from load" -l timeout -d 'How long to wait for a connection, and then for each answer (but that of compact), such as 500ms, 5s or 1m' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from load" -l user -d 'Log in as this user (or RUSTVAULT_USER). The password, or token, comes from --password-file, from RUSTVAULT_PASSWORD, or from you at the terminal; never from an argument, which others see' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from load" -l password-file -d 'The file of the password, or token (or RUSTVAULT_PASSWORD_FILE); without --user it is that of the user default' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from load" -l ca -d 'Trust the certificates of this PEM file, instead of those that the system trusts' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from load" -l cert -d 'The client\'s own certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from load" -l key -d 'The key of that certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from load" -l server-name -d 'The name that the server\'s certificate is for [default: the host of the address]' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from load" -l json -d 'Print results and errors as JSON, for scripts'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from load" -l tls -d 'Speak TLS, as with an address rustvaults://HOST:PORT; implied by the next four options'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from load" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from convert" -l to -d 'The new format' -r -f -a "binary\t'Checksummed batches of binary records'
json\t'A line of JSON for each record'"
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from convert" -l addr -d 'The server\'s address; unix:PATH for a Unix socket, rustvaults://HOST:PORT for TLS' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from convert" -l timeout -d 'How long to wait for a connection, and then for each answer (but that of compact), such as 500ms, 5s or 1m' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from convert" -l user -d 'Log in as this user (or RUSTVAULT_USER). The password, or token, comes from --password-file, from RUSTVAULT_PASSWORD, or from you at the terminal; never from an argument, which others see' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from convert" -l password-file -d 'The file of the password, or token (or RUSTVAULT_PASSWORD_FILE); without --user it is that of the user default' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from convert" -l ca -d 'Trust the certificates of this PEM file, instead of those that the system trusts' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from convert" -l cert -d 'The client\'s own certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from convert" -l key -d 'The key of that certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from convert" -l server-name -d 'The name that the server\'s certificate is for [default: the host of the address]' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from convert" -l json -d 'Print results and errors as JSON, for scripts'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from convert" -l tls -d 'Speak TLS, as with an address rustvaults://HOST:PORT; implied by the next four options'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from convert" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from repair" -l addr -d 'The server\'s address; unix:PATH for a Unix socket, rustvaults://HOST:PORT for TLS' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from repair" -l timeout -d 'How long to wait for a connection, and then for each answer (but that of compact), such as 500ms, 5s or 1m' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from repair" -l user -d 'Log in as this user (or RUSTVAULT_USER). The password, or token, comes from --password-file, from RUSTVAULT_PASSWORD, or from you at the terminal; never from an argument, which others see' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from repair" -l password-file -d 'The file of the password, or token (or RUSTVAULT_PASSWORD_FILE); without --user it is that of the user default' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from repair" -l ca -d 'Trust the certificates of this PEM file, instead of those that the system trusts' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from repair" -l cert -d 'The client\'s own certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from repair" -l key -d 'The key of that certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from repair" -l server-name -d 'The name that the server\'s certificate is for [default: the host of the address]' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from repair" -l yes -d 'Do not ask'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from repair" -l json -d 'Print results and errors as JSON, for scripts'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from repair" -l tls -d 'Speak TLS, as with an address rustvaults://HOST:PORT; implied by the next four options'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from repair" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from help" -f -a "inspect" -d 'Print what the log is made of: header, batches, LSNs, epochs, sizes, damage'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from help" -f -a "verify" -d 'Check all of the log; a torn tail, as a crash leaves it, is no damage'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from help" -f -a "dump" -d 'Write all records as lines of JSON to standard output: a log of the json format'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from help" -f -a "load" -d 'Write the records of lines of JSON, as dump prints them, to the end of a log, or into a new one'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from help" -f -a "convert" -d 'Write the log anew in another format, in its place'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from help" -f -a "repair" -d 'Cut a damaged log off where the damage begins, so that it opens again'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand wal; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and not __fish_seen_subcommand_from add passwd token grant revoke list remove help" -l file -d 'The file of users, as the server\'s option --users names it [env: RUSTVAULT_USERS]' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and not __fish_seen_subcommand_from add passwd token grant revoke list remove help" -l addr -d 'The server\'s address; unix:PATH for a Unix socket, rustvaults://HOST:PORT for TLS' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and not __fish_seen_subcommand_from add passwd token grant revoke list remove help" -l timeout -d 'How long to wait for a connection, and then for each answer (but that of compact), such as 500ms, 5s or 1m' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and not __fish_seen_subcommand_from add passwd token grant revoke list remove help" -l user -d 'Log in as this user (or RUSTVAULT_USER). The password, or token, comes from --password-file, from RUSTVAULT_PASSWORD, or from you at the terminal; never from an argument, which others see' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and not __fish_seen_subcommand_from add passwd token grant revoke list remove help" -l password-file -d 'The file of the password, or token (or RUSTVAULT_PASSWORD_FILE); without --user it is that of the user default' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and not __fish_seen_subcommand_from add passwd token grant revoke list remove help" -l ca -d 'Trust the certificates of this PEM file, instead of those that the system trusts' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and not __fish_seen_subcommand_from add passwd token grant revoke list remove help" -l cert -d 'The client\'s own certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and not __fish_seen_subcommand_from add passwd token grant revoke list remove help" -l key -d 'The key of that certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and not __fish_seen_subcommand_from add passwd token grant revoke list remove help" -l server-name -d 'The name that the server\'s certificate is for [default: the host of the address]' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and not __fish_seen_subcommand_from add passwd token grant revoke list remove help" -l json -d 'Print results and errors as JSON, for scripts'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and not __fish_seen_subcommand_from add passwd token grant revoke list remove help" -l tls -d 'Speak TLS, as with an address rustvaults://HOST:PORT; implied by the next four options'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and not __fish_seen_subcommand_from add passwd token grant revoke list remove help" -s h -l help -d 'Print help'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and not __fish_seen_subcommand_from add passwd token grant revoke list remove help" -f -a "add" -d 'Add a user, with a password unless a token or nothing is asked for'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and not __fish_seen_subcommand_from add passwd token grant revoke list remove help" -f -a "passwd" -d 'Set a user\'s password'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and not __fish_seen_subcommand_from add passwd token grant revoke list remove help" -f -a "token" -d 'Give a user a new token, for a program, and print it: it is shown this once'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and not __fish_seen_subcommand_from add passwd token grant revoke list remove help" -f -a "grant" -d 'Allow a user categories of commands, for all keys or those with a prefix'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and not __fish_seen_subcommand_from add passwd token grant revoke list remove help" -f -a "revoke" -d 'Remove what was granted or denied for just this prefix'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and not __fish_seen_subcommand_from add passwd token grant revoke list remove help" -f -a "list" -d 'Print users with their credentials and rights'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and not __fish_seen_subcommand_from add passwd token grant revoke list remove help" -f -a "remove" -d 'Remove a user, or one credential of it'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and not __fish_seen_subcommand_from add passwd token grant revoke list remove help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from add" -l allow -d 'Rights to grant, such as read,write:app: for keys that start with app:, or all' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from add" -l deny -d 'Rights to deny' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from add" -l password-file -d 'Take the password from the only line of FILE, or of standard input if that is \'-\' [env: RUSTVAULT_NEW_PASSWORD is the password itself]' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from add" -l label -d 'A name for the credential, to tell it from others of this user [default: password, or token]' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from add" -l expires -d 'Time from which on it is not accepted: a time (2027-01-01T00:00:00Z), a day in UTC (2027-01-01) or a span from now (90days) [default: never]' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from add" -l file -d 'The file of users, as the server\'s option --users names it [env: RUSTVAULT_USERS]' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from add" -l addr -d 'The server\'s address; unix:PATH for a Unix socket, rustvaults://HOST:PORT for TLS' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from add" -l timeout -d 'How long to wait for a connection, and then for each answer (but that of compact), such as 500ms, 5s or 1m' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from add" -l user -d 'Log in as this user (or RUSTVAULT_USER). The password, or token, comes from --password-file, from RUSTVAULT_PASSWORD, or from you at the terminal; never from an argument, which others see' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from add" -l ca -d 'Trust the certificates of this PEM file, instead of those that the system trusts' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from add" -l cert -d 'The client\'s own certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from add" -l key -d 'The key of that certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from add" -l server-name -d 'The name that the server\'s certificate is for [default: the host of the address]' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from add" -l token -d 'Make a token instead of asking for a password, and print it'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from add" -l no-password -d 'Neither password nor token, for whoever comes with a certificate'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from add" -l json -d 'Print results and errors as JSON, for scripts'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from add" -l tls -d 'Speak TLS, as with an address rustvaults://HOST:PORT; implied by the next four options'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from passwd" -l password-file -d 'Take the password from the only line of FILE, or of standard input if that is \'-\' [env: RUSTVAULT_NEW_PASSWORD is the password itself]' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from passwd" -l label -d 'A name for the credential, to tell it from others of this user [default: password, or token]' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from passwd" -l expires -d 'Time from which on it is not accepted: a time (2027-01-01T00:00:00Z), a day in UTC (2027-01-01) or a span from now (90days) [default: never]' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from passwd" -l file -d 'The file of users, as the server\'s option --users names it [env: RUSTVAULT_USERS]' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from passwd" -l addr -d 'The server\'s address; unix:PATH for a Unix socket, rustvaults://HOST:PORT for TLS' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from passwd" -l timeout -d 'How long to wait for a connection, and then for each answer (but that of compact), such as 500ms, 5s or 1m' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from passwd" -l user -d 'Log in as this user (or RUSTVAULT_USER). The password, or token, comes from --password-file, from RUSTVAULT_PASSWORD, or from you at the terminal; never from an argument, which others see' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from passwd" -l ca -d 'Trust the certificates of this PEM file, instead of those that the system trusts' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from passwd" -l cert -d 'The client\'s own certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from passwd" -l key -d 'The key of that certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from passwd" -l server-name -d 'The name that the server\'s certificate is for [default: the host of the address]' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from passwd" -l json -d 'Print results and errors as JSON, for scripts'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from passwd" -l tls -d 'Speak TLS, as with an address rustvaults://HOST:PORT; implied by the next four options'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from passwd" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from token" -l label -d 'A name for the credential, to tell it from others of this user [default: password, or token]' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from token" -l expires -d 'Time from which on it is not accepted: a time (2027-01-01T00:00:00Z), a day in UTC (2027-01-01) or a span from now (90days) [default: never]' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from token" -l file -d 'The file of users, as the server\'s option --users names it [env: RUSTVAULT_USERS]' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from token" -l addr -d 'The server\'s address; unix:PATH for a Unix socket, rustvaults://HOST:PORT for TLS' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from token" -l timeout -d 'How long to wait for a connection, and then for each answer (but that of compact), such as 500ms, 5s or 1m' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from token" -l user -d 'Log in as this user (or RUSTVAULT_USER). The password, or token, comes from --password-file, from RUSTVAULT_PASSWORD, or from you at the terminal; never from an argument, which others see' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from token" -l password-file -d 'The file of the password, or token (or RUSTVAULT_PASSWORD_FILE); without --user it is that of the user default' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from token" -l ca -d 'Trust the certificates of this PEM file, instead of those that the system trusts' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from token" -l cert -d 'The client\'s own certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from token" -l key -d 'The key of that certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from token" -l server-name -d 'The name that the server\'s certificate is for [default: the host of the address]' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from token" -l json -d 'Print results and errors as JSON, for scripts'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from token" -l tls -d 'Speak TLS, as with an address rustvaults://HOST:PORT; implied by the next four options'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from token" -s h -l help -d 'Print help'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from grant" -l file -d 'The file of users, as the server\'s option --users names it [env: RUSTVAULT_USERS]' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from grant" -l addr -d 'The server\'s address; unix:PATH for a Unix socket, rustvaults://HOST:PORT for TLS' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from grant" -l timeout -d 'How long to wait for a connection, and then for each answer (but that of compact), such as 500ms, 5s or 1m' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from grant" -l user -d 'Log in as this user (or RUSTVAULT_USER). The password, or token, comes from --password-file, from RUSTVAULT_PASSWORD, or from you at the terminal; never from an argument, which others see' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from grant" -l password-file -d 'The file of the password, or token (or RUSTVAULT_PASSWORD_FILE); without --user it is that of the user default' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from grant" -l ca -d 'Trust the certificates of this PEM file, instead of those that the system trusts' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from grant" -l cert -d 'The client\'s own certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from grant" -l key -d 'The key of that certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from grant" -l server-name -d 'The name that the server\'s certificate is for [default: the host of the address]' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from grant" -l deny -d 'Deny them instead, for keys within a longer prefix than the one that is allowed'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from grant" -l json -d 'Print results and errors as JSON, for scripts'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from grant" -l tls -d 'Speak TLS, as with an address rustvaults://HOST:PORT; implied by the next four options'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from grant" -s h -l help -d 'Print help'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from revoke" -l file -d 'The file of users, as the server\'s option --users names it [env: RUSTVAULT_USERS]' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from revoke" -l addr -d 'The server\'s address; unix:PATH for a Unix socket, rustvaults://HOST:PORT for TLS' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from revoke" -l timeout -d 'How long to wait for a connection, and then for each answer (but that of compact), such as 500ms, 5s or 1m' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from revoke" -l user -d 'Log in as this user (or RUSTVAULT_USER). The password, or token, comes from --password-file, from RUSTVAULT_PASSWORD, or from you at the terminal; never from an argument, which others see' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from revoke" -l password-file -d 'The file of the password, or token (or RUSTVAULT_PASSWORD_FILE); without --user it is that of the user default' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from revoke" -l ca -d 'Trust the certificates of this PEM file, instead of those that the system trusts' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from revoke" -l cert -d 'The client\'s own certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from revoke" -l key -d 'The key of that certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from revoke" -l server-name -d 'The name that the server\'s certificate is for [default: the host of the address]' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from revoke" -l json -d 'Print results and errors as JSON, for scripts'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from revoke" -l tls -d 'Speak TLS, as with an address rustvaults://HOST:PORT; implied by the next four options'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from revoke" -s h -l help -d 'Print help'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from list" -l file -d 'The file of users, as the server\'s option --users names it [env: RUSTVAULT_USERS]' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from list" -l addr -d 'The server\'s address; unix:PATH for a Unix socket, rustvaults://HOST:PORT for TLS' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from list" -l timeout -d 'How long to wait for a connection, and then for each answer (but that of compact), such as 500ms, 5s or 1m' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from list" -l user -d 'Log in as this user (or RUSTVAULT_USER). The password, or token, comes from --password-file, from RUSTVAULT_PASSWORD, or from you at the terminal; never from an argument, which others see' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from list" -l password-file -d 'The file of the password, or token (or RUSTVAULT_PASSWORD_FILE); without --user it is that of the user default' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from list" -l ca -d 'Trust the certificates of this PEM file, instead of those that the system trusts' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from list" -l cert -d 'The client\'s own certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from list" -l key -d 'The key of that certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from list" -l server-name -d 'The name that the server\'s certificate is for [default: the host of the address]' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from list" -l json -d 'Print results and errors as JSON, for scripts'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from list" -l tls -d 'Speak TLS, as with an address rustvaults://HOST:PORT; implied by the next four options'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from remove" -l label -d 'Remove the credential with this label only' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from remove" -l file -d 'The file of users, as the server\'s option --users names it [env: RUSTVAULT_USERS]' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from remove" -l addr -d 'The server\'s address; unix:PATH for a Unix socket, rustvaults://HOST:PORT for TLS' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from remove" -l timeout -d 'How long to wait for a connection, and then for each answer (but that of compact), such as 500ms, 5s or 1m' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from remove" -l user -d 'Log in as this user (or RUSTVAULT_USER). The password, or token, comes from --password-file, from RUSTVAULT_PASSWORD, or from you at the terminal; never from an argument, which others see' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from remove" -l password-file -d 'The file of the password, or token (or RUSTVAULT_PASSWORD_FILE); without --user it is that of the user default' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from remove" -l ca -d 'Trust the certificates of this PEM file, instead of those that the system trusts' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from remove" -l cert -d 'The client\'s own certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from remove" -l key -d 'The key of that certificate, a PEM file' -r -F
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from remove" -l server-name -d 'The name that the server\'s certificate is for [default: the host of the address]' -r
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from remove" -l json -d 'Print results and errors as JSON, for scripts'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from remove" -l tls -d 'Speak TLS, as with an address rustvaults://HOST:PORT; implied by the next four options'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from help" -f -a "add" -d 'Add a user, with a password unless a token or nothing is asked for'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from help" -f -a "passwd" -d 'Set a user\'s password'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from help" -f -a "token" -d 'Give a user a new token, for a program, and print it: it is shown this once'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from help" -f -a "grant" -d 'Allow a user categories of commands, for all keys or those with a prefix'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from help" -f -a "revoke" -d 'Remove what was granted or denied for just this prefix'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from help" -f -a "list" -d 'Print users with their credentials and rights'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Remove a user, or one credential of it'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand user; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete exists count scan ping info compact export import bench wal user help" -f -a "set" -d 'Store VALUE under KEY; prints OK'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete exists count scan ping info compact export import bench wal user help" -f -a "get" -d 'Print the value of KEY and a newline, or (nil)'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete exists count scan ping info compact export import bench wal user help" -f -a "delete" -d 'Remove KEY; prints OK, or (nil) if it was not there'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete exists count scan ping info compact export import bench wal user help" -f -a "exists" -d 'Print OK if KEY is there, or (nil)'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete exists count scan ping info compact export import bench wal user help" -f -a "count" -d 'Print the number of keys'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete exists count scan ping info compact export import bench wal user help" -f -a "scan" -d 'Print the keys, one a line, in no particular order'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete exists count scan ping info compact export import bench wal user help" -f -a "ping" -d 'Ask whether the server is there; prints PONG'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete exists count scan ping info compact export import bench wal user help" -f -a "info" -d 'Print the server\'s state as name=value lines'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete exists count scan ping info compact export import bench wal user help" -f -a "compact" -d 'Have the server rewrite its log as the live data; prints OK once that has ended'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete exists count scan ping info compact export import bench wal user help" -f -a "export" -d 'Print all keys and values as JSON, a line for each key'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete exists count scan ping info compact export import bench wal user help" -f -a "import" -d 'Store the keys and values of JSON lines as export prints them'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete exists count scan ping info compact export import bench wal user help" -f -a "bench" -d 'Generate load, then print throughput and latencies'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete exists count scan ping info compact export import bench wal user help" -f -a "wal" -d 'Look at, check, read out, fill, convert or repair a log file that no server has open'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete exists count scan ping info compact export import bench wal user help" -f -a "user" -d 'Manage a file of users: who may log in to a server, and what they may do'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand help; and not __fish_seen_subcommand_from set get delete exists count scan ping info compact export import bench wal user help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand help; and __fish_seen_subcommand_from wal" -f -a "inspect" -d 'Print what the log is made of: header, batches, LSNs, epochs, sizes, damage'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand help; and __fish_seen_subcommand_from wal" -f -a "verify" -d 'Check all of the log; a torn tail, as a crash leaves it, is no damage'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand help; and __fish_seen_subcommand_from wal" -f -a "dump" -d 'Write all records as lines of JSON to standard output: a log of the json format'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand help; and __fish_seen_subcommand_from wal" -f -a "load" -d 'Write the records of lines of JSON, as dump prints them, to the end of a log, or into a new one'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand help; and __fish_seen_subcommand_from wal" -f -a "convert" -d 'Write the log anew in another format, in its place'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand help; and __fish_seen_subcommand_from wal" -f -a "repair" -d 'Cut a damaged log off where the damage begins, so that it opens again'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand help; and __fish_seen_subcommand_from user" -f -a "add" -d 'Add a user, with a password unless a token or nothing is asked for'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand help; and __fish_seen_subcommand_from user" -f -a "passwd" -d 'Set a user\'s password'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand help; and __fish_seen_subcommand_from user" -f -a "token" -d 'Give a user a new token, for a program, and print it: it is shown this once'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand help; and __fish_seen_subcommand_from user" -f -a "grant" -d 'Allow a user categories of commands, for all keys or those with a prefix'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand help; and __fish_seen_subcommand_from user" -f -a "revoke" -d 'Remove what was granted or denied for just this prefix'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand help; and __fish_seen_subcommand_from user" -f -a "list" -d 'Print users with their credentials and rights'
complete -c rustvault-cli -n "__fish_rustvault_cli_using_subcommand help; and __fish_seen_subcommand_from user" -f -a "remove" -d 'Remove a user, or one credential of it'
