#!/usr/bin/env bash
# A newcomer's path: a server, a user, TLS, a restart, a new certificate, a right taken away. Prints a transcript.
#
#     tests/newcomer/path.sh FOLDER     with rustvault-server and rustvault-cli in FOLDER
#
# It needs bash, openssl and the documents of this repository, nothing of the caller's home or environment: it works in an empty
# folder that is its home, and removes it. The commands for the certificates are those that docs/tls.md shows.
set -euo pipefail

documents="$(cd "$(dirname "$0")/../../docs" && pwd)"
programs="$(cd "${1:?usage: path.sh FOLDER, which has rustvault-server and rustvault-cli}" && pwd)"
if [ -z "${NEWCOMER:-}" ]; then
    exec env -i NEWCOMER=1 PATH="$programs:/usr/local/bin:/usr/bin:/bin" LANG=C.UTF-8 "$BASH" "$0" "$@"
fi
umask 022
export HOME
HOME="$(mktemp -d)"
cd "$HOME"
server=
trap 'if [ -n "$server" ]; then kill -KILL "$server" 2>/dev/null || true; fi; rm -rf "$HOME"' EXIT

say() { printf '\n# %s\n' "$*"; }

# Shows a command and runs it.
run() {
    printf '$ %s\n' "$*"
    "$@" 2>&1
}

# Shows a command and runs it; it must succeed, and print this.
prints() { # text, command
    local text=$1 output
    shift
    printf '$ %s\n' "$*"
    output=$("$@" 2>&1) || { printf '%s\n' "$output" "FAILED: it ended with $?"; exit 1; }
    printf '%s\n' "$output"
    [[ $output == *"$text"* ]] || { printf 'FAILED: no "%s"\n' "$text"; exit 1; }
}

# Shows a command and runs it; it must fail, and say this.
is_refused() { # text, command
    local text=$1 output
    shift
    printf '$ %s\n' "$*"
    if output=$("$@" 2>&1); then printf '%s\n' "$output" "FAILED: it succeeds"; exit 1; fi
    printf '%s\n' "$output"
    [[ $output == *"$text"* ]] || { printf 'FAILED: no "%s"\n' "$text"; exit 1; }
}

# Waits for a line of the server's messages.
wait_for() { # text
    local tries=0
    until grep -qF -- "$1" messages; do
        kill -0 "$server" 2>/dev/null || { cat messages; printf 'FAILED: the server has ended\n'; exit 1; }
        ((tries += 1)) && [ "$tries" -lt 600 ] || { cat messages; printf 'FAILED: no "%s"\n' "$1"; exit 1; }
        sleep 0.05
    done
}

start() { # arguments
    printf '$ %s &\n' "rustvault-server $*"
    rustvault-server "$@" 2>messages &
    server=$!
    wait_for ready
    cat messages
}

stop() {
    printf '$ kill -TERM %s\n' "$server"
    kill -TERM "$server"
    wait "$server"
    server=
}

# Reloads, and shows what has changed; this must have.
reload() { # option
    printf '$ %s\n' "${as_alice[*]} config reload | grep -v unchanged"
    "${as_alice[@]}" config reload 2>&1 | grep -v 'unchanged$' | tee report
    grep -qF "$1 applied" report || { printf 'FAILED: no change of %s\n' "$1"; exit 1; }
}

# The port of an address in the line that says that the server is ready.
port_of() { # field
    sed -n "s/.* $1=\"\{0,1\}[^ ]*:\([0-9]*\).*/\1/p" messages
}

# The first block of commands of a section of docs/tls.md.
commands_of() { # section
    awk -v section="## $1" '
        $0 == section { here = 1 } here && /^ *```sh$/ { shown = 1; next }
        shown && /^ *```$/ { exit } shown { sub(/^   /, ""); print }' "$documents/tls.md"
}

say "A first start, on this machine alone"
start --bind 127.0.0.1:0
plain="127.0.0.1:$(port_of address)"
prints OK rustvault-cli --addr "$plain" set app:greeting hello
prints hello rustvault-cli --addr "$plain" get app:greeting
stop

say "Users: a person with a password, and a program with a token"
export RUSTVAULT_USERS="$HOME/users.toml"
(umask 077 && printf 'correct horse battery staple\n' >alice.password)
run rustvault-cli user add alice --allow all --password-file alice.password
printf '$ %s\n' 'rustvault-cli user add app --allow read,write:app: --token >app.token'
(umask 077 && rustvault-cli user add app --allow read,write:app: --token >app.token)
run rustvault-cli user list
run stat -c '%a %n' users.toml

say "An authority and a certificate, as docs/tls.md shows"
mkdir tls
commands_of "Turn it on" >certificates.sh
grep -q 'openssl req -x509' certificates.sh || { printf 'FAILED: docs/tls.md has no such commands\n'; exit 1; }
cat certificates.sh
(cd tls && sh -e ../certificates.sh 2>/dev/null)
run openssl verify -CAfile tls/ca.pem tls/cert.pem

say "The configuration, its check, and a restart"
cat >rustvault.toml <<END
bind = ["127.0.0.1:0"]
users = "$HOME/users.toml"

[tls]
bind = ["127.0.0.1:0"]
cert = "$HOME/tls/cert.pem"
key = "$HOME/tls/key.pem"
END
run cat rustvault.toml
run rustvault-server --config rustvault.toml --check-config
start --config rustvault.toml
secure="rustvaults://localhost:$(port_of tls_address)"
plain="127.0.0.1:$(port_of address)"

say "Who does not log in is told so; who does is served, over TLS"
is_refused AUTH_REQUIRED rustvault-cli --addr "$plain" get app:greeting
as_alice=(rustvault-cli --addr "$secure" --ca tls/ca.pem --user alice --password-file alice.password)
as_app=(rustvault-cli --addr "$secure" --ca tls/ca.pem --user app --password-file app.token)
prints hello "${as_alice[@]}" get app:greeting
prints alice "${as_alice[@]}" acl whoami
prints OK "${as_app[@]}" set app:greeting "good day"
is_refused DENIED "${as_app[@]}" set other:greeting "good day"
is_refused certificate rustvault-cli --addr "$secure" --user app --password-file app.token ping
if [[ $(redis-cli --help 2>&1 || true) == *--tls* ]]; then
    printf '$ %s\n' 'redis-cli --tls --cacert tls/ca.pem -h localhost -p PORT --user app --pass "$(cat app.token)" GET app:greeting'
    redis-cli --tls --cacert tls/ca.pem -h localhost -p "${secure##*:}" --user app --pass "$(cat app.token)" \
        --no-auth-warning GET app:greeting
fi

say "A new certificate, without a restart"
shown_serial() {
    openssl s_client -connect "localhost:${secure##*:}" -CAfile tls/ca.pem </dev/null 2>/dev/null | openssl x509 -noout -serial
}
before="$(shown_serial)"
mkdir tls/next
cp tls/ca.pem tls/ca-key.pem tls/next
(cd tls/next && sed '/openssl req -x509/,/-keyout ca-key.pem/d' ../../certificates.sh | sh -e 2>/dev/null)
run mv tls/next/key.pem tls/next/cert.pem tls/
reload tls.cert
after="$(shown_serial)"
printf 'before: %s\nafter:  %s\n' "$before" "$after"
[ -n "$after" ] && [ "$before" != "$after" ] || { printf 'FAILED: the old certificate is shown\n'; exit 1; }
prints "good day" "${as_app[@]}" get app:greeting

say "A right is taken away, and a token replaced, without a restart"
run rustvault-cli user revoke app write app:
reload users
is_refused DENIED "${as_app[@]}" set app:greeting bye
prints "good day" "${as_app[@]}" get app:greeting
printf '$ %s\n' 'rustvault-cli user token app --label 2027 >app.token.new && mv app.token.new app.token'
(umask 077 && rustvault-cli user token app --label 2027 >app.token.new)
cp app.token app.token.old
mv app.token.new app.token
run rustvault-cli user remove app --label token
reload users
prints "good day" "${as_app[@]}" get app:greeting
is_refused DENIED rustvault-cli --addr "$secure" --ca tls/ca.pem --user app --password-file app.token.old get app:greeting

say "The end"
stop
printf 'everything was as the documents say\n'
