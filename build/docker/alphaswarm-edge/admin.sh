#!/bin/bash
# Asks this container's Envoy, by its admin interface on loopback: bash can, and the image has no other program that does.
#
#   alphaswarm-edge-admin ready   status 0 if it has its whole config and serves
#   alphaswarm-edge-admin live    status 0 if it answers
#   alphaswarm-edge-admin drain   have clients leave (Connection: close, GOAWAY), and return when they have; at the
#                                 earliest after DRAIN_LEAST_SECONDS (5), by when no load balancer sends new ones, at the
#                                 latest after DRAIN_SECONDS (25). To be run before SIGTERM, at which Envoy ends at once.
set -euo pipefail

# ask METHOD PATH: the answer, on the standard output; fails unless it is a 200.
ask() {
    local line
    exec {admin}<>"/dev/tcp/127.0.0.1/${ADMIN_PORT:-9901}"
    printf '%s %s HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n' "$1" "$2" >&"$admin"
    read -r -t 3 line <&"$admin"
    [[ $line == 'HTTP/'*' 200 '* ]] || return 1
    while IFS= read -r -t 3 line <&"$admin"; do printf '%s\n' "$line"; done
    exec {admin}>&-
}

connections() {
    ask GET '/stats?filter=%5Eserver.total_connections$' | sed -n 's/^server.total_connections: //p'
}

drain() {
    local waited=0
    ask POST /healthcheck/fail >/dev/null
    while ((waited < ${DRAIN_SECONDS:-25})); do
        sleep 1
        ((++waited < ${DRAIN_LEAST_SECONDS:-5})) || [ "$(connections)" != 0 ] || return 0
    done
}

case ${1:-} in
ready) ask GET /ready >/dev/null ;;
live) ask GET /server_info >/dev/null ;;
drain) drain ;;
*)
    echo "usage: alphaswarm-edge-admin ready|live|drain" >&2
    exit 2
    ;;
esac
