#!/bin/sh
# Runs a program of the tests' servers, which lie in the folder `root` beside this file:  run PROGRAM [ARGUMENT...]
#
#     run initdb -D FOLDER --pwfile FILE      makes the data of a PostgreSQL server, for the user bridge32
#     run postgres -D FOLDER -p PORT          serves them on 127.0.0.1, and nowhere else
#     run psql | prometheus | promtool | rotel …
#
# Every step replaces this process: the process id the caller got is the program's own. The kernel ends the program when
# the thread that started it ends, however that comes about.
set -eu

here=$(cd "$(dirname "$0")" && pwd -P)
program=$1
shift
for file in "$here"/root/usr/lib/postgresql/*/bin/"$program" "$here"/root/usr/bin/"$program"; do
    [ ! -x "$file" ] || break
done

# Beside the machine's own libraries there are those that it lacks.
for folder in "$here"/root/usr/lib/*-linux-gnu "$here"/root/lib/*-linux-gnu; do
    LD_LIBRARY_PATH="$folder${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
done
export LD_LIBRARY_PATH
export LC_ALL=C.UTF-8

# What the programs do is in their arguments, and not in the caller's environment (PGSSLMODE, ROTEL_EXPORTER).
for name in $(env | sed -n 's/^\(PG[A-Z]*\|ROTEL_[A-Z_]*\)=.*/\1/p'); do
    unset "$name"
done

end=TERM
case "$program ${1-}" in
*" --version") ;; # which must be the first
"initdb "*)
    set -- --username=bridge32 --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 --no-sync --no-instructions "$@"
    ;;
"postgres "*)
    # Nobody needs these data after a crash of the machine. Compiling queries would take LLVM, which nobody needs either.
    set -- -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c jit=off -c max_connections=200 \
        -c timezone=UTC "$@"
    end=INT # it waits for no client
    ;;
esac

case $(id -u)-$program in
0-initdb | 0-postgres)
    # PostgreSQL does not run as root. It becomes `nobody`, who still gets to folders of root's, such as /root/.cache: this is
    # what CAP_DAC_OVERRIDE lets it, and with no_setuid_fixup also in access(2), by which it looks for its own files.
    exec setpriv --reuid=65534 --regid=65534 --clear-groups --securebits=+no_setuid_fixup \
        --inh-caps=+dac_override --ambient-caps=+dac_override --pdeathsig="$end" "$file" "$@"
    ;;
*)
    exec setpriv --pdeathsig="$end" "$file" "$@"
    ;;
esac
