#!/bin/sh
# Fills the image's bootstrap in from the environment, and becomes Envoy; arguments are Envoy's.
# Everything that is missing or wrong is said, a line each, before it ends with status 2.
#
#   XDS_SERVER              host:port of the control plane's ADS
#   XDS_TLS_CA_FILE, XDS_TLS_CERT_FILE, XDS_TLS_KEY_FILE
#                           the CA of its certificate, this Envoy's certificate and key; followed as they change
#   XDS_SERVER_NAME         the DNS name in its certificate; the server's host unless set
#   XDS_ALLOW_PLAINTEXT     yes: no TLS
#   NODE_ID                 POD_NAME unless set, or the host's name
#   NODE_GROUP              alphaswarm-edge unless set; one of the control plane's EDGE_LISTENERS
#   NODE_REGION, NODE_ZONE  where it is; unset unless set
#   ADMIN_PORT              on loopback only; 9901
#   METRICS_PORT            where /stats/prometheus and /ready are to be had; 9902
#   MAX_CONNECTIONS, MAX_HEAP_BYTES, LOG_LEVEL
#                           50000, 2 GiB, info
#   RUN_FOLDER              a folder that may be written to; /run/alphaswarm-edge
set -eu
LC_ALL=C export LC_ALL

templates=${TEMPLATE_FOLDER:-/usr/local/share/alphaswarm-edge}
run=${RUN_FOLDER:-/run/alphaswarm-edge}
faults=0

fault() {
    echo "alphaswarm-edge: $1: $2" >&2
    faults=$((faults + 1))
}

# check NAME VALUE WHAT FORBIDDEN: there is a value, without a character that the pattern FORBIDDEN has. So no value
# can be more than text in the JSON, and more than text to sed.
check() {
    # shellcheck disable=SC2254  # a pattern
    case $2 in
    '') fault "$1" "not set; expected $3" ;;
    *$4*) fault "$1" "expected $3, got '$2'" ;;
    esac
}

number() {
    check "$1" "$2" "a whole number" '[!0-9]'
}

text() {
    check "$1" "$2" "letters, digits and . _ : / -" '[!A-Za-z0-9._:/-]'
}

file() {
    before=$faults
    check "$1" "$2" "the path of a file${3:-}" '[!A-Za-z0-9._/+=:@,-]'
    [ "$faults" -gt "$before" ] || case $2 in
    /*/*) [ -r "$2" ] || fault "$1" "cannot read $2" ;;
    *) fault "$1" "expected an absolute path, in a folder, got '$2'" ;;
    esac
}

node_id=${NODE_ID:-${POD_NAME:-$(uname -n)}}
node_group=${NODE_GROUP:-alphaswarm-edge}
server=${XDS_SERVER:-}
host=${server%:*}
port=${server##*:}
server_name=${XDS_SERVER_NAME:-$host}
max_connections=${MAX_CONNECTIONS:-50000}
max_heap_bytes=${MAX_HEAP_BYTES:-2147483648}
admin_port=${ADMIN_PORT:-9901}
metrics_port=${METRICS_PORT:-9902}
log_level=${LOG_LEVEL:-info}

text NODE_ID "$node_id"
text NODE_GROUP "$node_group"
[ -z "${NODE_REGION:-}" ] || text NODE_REGION "$NODE_REGION"
[ -z "${NODE_ZONE:-}" ] || text NODE_ZONE "$NODE_ZONE"
number MAX_CONNECTIONS "$max_connections"
number MAX_HEAP_BYTES "$max_heap_bytes"
number ADMIN_PORT "$admin_port"
number METRICS_PORT "$metrics_port"
case $server in
'') fault XDS_SERVER "not set; expected host:port of the control plane" ;;
*[!A-Za-z0-9._:-]* | *:*:* | :* | *: | *:*[!0-9]*) fault XDS_SERVER "expected host:port, got '$server'" ;;
*:*) ;;
*) fault XDS_SERVER "expected host:port, got '$server'" ;;
esac

case ${XDS_ALLOW_PLAINTEXT:-} in
yes) kind=plain ;;
'' | no)
    kind=tls
    file XDS_TLS_CA_FILE "${XDS_TLS_CA_FILE:-}" " (or XDS_ALLOW_PLAINTEXT=yes)"
    file XDS_TLS_CERT_FILE "${XDS_TLS_CERT_FILE:-}"
    file XDS_TLS_KEY_FILE "${XDS_TLS_KEY_FILE:-}"
    case $server_name in
    '') ;; # of XDS_SERVER, which has been told
    *[!A-Za-z0-9.-]*) fault XDS_SERVER_NAME "expected a DNS name, got '$server_name'" ;;
    *[!0-9.]*) ;;
    *) fault XDS_SERVER_NAME "expected the DNS name in the server's certificate, got the address '$server_name'" ;;
    esac
    ;;
*) fault XDS_ALLOW_PLAINTEXT "expected yes or no, got '$XDS_ALLOW_PLAINTEXT'" ;;
esac

# shellcheck disable=SC2174  # what is above it is the image's
[ -d "$run" ] || mkdir -m 0700 -p "$run" 2>/dev/null || true
[ -w "$run" ] || fault RUN_FOLDER "cannot write to $run; expected a folder that may be written to"
[ "$faults" = 0 ] || exit 2

# folder PATH, without the leading slash that the templates have.
folder() {
    dirname "$1" | sed 's|^/||'
}

# fill FILE: a template, filled in, into the folder.
fill() {
    set -- "$1" "${XDS_TLS_CA_FILE:-/-/-}" "${XDS_TLS_CERT_FILE:-/-/-}" "${XDS_TLS_KEY_FILE:-/-/-}"
    sed -e "s|@NODE_ID@|$node_id|" -e "s|@NODE_GROUP@|$node_group|" -e "s|@NODE_REGION@|${NODE_REGION:-}|" \
        -e "s|@NODE_ZONE@|${NODE_ZONE:-}|" -e "s|@XDS_HOST@|$host|" -e "s|@XDS_PORT@|$port|" \
        -e "s|@XDS_SERVER_NAME@|$server_name|" -e "s|@ADMIN_PORT@|$admin_port|" -e "s|@RUN_FOLDER@|$run|" \
        -e "s|@METRICS_PORT@|$metrics_port|" -e "s|@MAX_CONNECTIONS@|$max_connections|" -e "s|@MAX_HEAP_BYTES@|$max_heap_bytes|" \
        -e "s|@CA_FOLDER@|$(folder "$2")|" -e "s|@CA_NAME@|${2##*/}|" -e "s|@CERT_FOLDER@|$(folder "$3")|" \
        -e "s|@CERT_NAME@|${3##*/}|" -e "s|@KEY_FOLDER@|$(folder "$4")|" -e "s|@KEY_NAME@|${4##*/}|" \
        "$templates/$1.json" >"$run/$1.json"
}

fill "$kind"
if [ "$kind" = tls ]; then
    fill alphaswarm-xds-client
    fill alphaswarm-xds-ca
fi
exec envoy -c "$run/$kind.json" --disable-hot-restart --log-level "$log_level" "$@"
