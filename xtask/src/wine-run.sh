#!/bin/sh
# Starts a Windows program with the Wine in the Debian tree beside this file:  run [--64] PROGRAM [ARGUMENT...]
#
# PROGRAM is the Windows path of a 32-bit program, after --64 of a 64-bit one. Drive Z: is this machine's own file system: the
# host's /opt/x.dll is Z:\opt\x.dll. An absolute path of the host is taken, too, as `cargo test` gives it.
#
# Every step replaces this process, so that the process id the caller got is the Windows program's own: its standard
# streams, its exit code and its death are the caller's. What is mounted is seen by this process and its children only
# and is gone when they are; nothing has to be unmounted. Without root the same happens in a user namespace.
set -eu

here=$(cd "$(dirname "$0")" && pwd -P)

if [ "${1-}" != --mounted ]; then
    if [ "$(id -u)" = 0 ]; then
        exec unshare --mount --propagation slave "$here/run" --mounted "$@"
    else
        exec unshare --user --map-root-user --mount --propagation slave "$here/run" --mounted "$@"
    fi
fi
shift

# The loader of the program's own width: the other one would start it as a second process.
loader=/usr/lib/wine/wine
case "${1-}" in
    --64) shift; loader=/usr/lib/wine/wine64 ;;
    --wait) loader=/usr/lib/wine/wineserver ;; # until the last program has ended and the registry is written
esac

# Where that program is seen from inside.
case "${1-}" in
    /*) program=/host$1; shift; set -- "$program" "$@" ;;
esac

mount --rbind / "$here/root/host"
mount --rbind /proc "$here/root/proc"
mount --rbind /dev "$here/root/dev"

# Debian has Wine's server end with the last program. A program that is started while it goes down waits a second or two for the
# next one: an agent that is started again after a crash must not. So the server stays for some seconds; where one runs, this
# ends at once.
keep='"$0" -p3 </dev/null >/dev/null 2>&1 || :; exec "$@"'
server=/usr/lib/wine/wineserver64
[ -x "$here/root$server" ] || server=/usr/lib/wine/wineserver32
[ "${1-}" != --wait ] || keep='exec "$@"'

# The host's libraries are not Wine's: what points a loader at them stays behind.
exec chroot "$here/root" /usr/bin/env --chdir="/host$(pwd -P)" \
    -u LD_LIBRARY_PATH -u LD_PRELOAD -u DISPLAY -u WAYLAND_DISPLAY -u XDG_RUNTIME_DIR \
    PATH=/usr/local/bin:/usr/bin:/bin HOME="/host$here/home" LANG=C.UTF-8 LC_ALL=C.UTF-8 \
    WINEPREFIX="/host$here/prefix" WINEDEBUG="${WINEDEBUG--all}" \
    /bin/sh -c "$keep" "$server" "$loader" "$@"
