#!/bin/sh
# Writes the edge image's bootstraps: what `alphaswarm-xds bootstrap` prints, with @NAMES@ where one Envoy differs from
# another. Run when the image is built; entrypoint.sh fills them in.
#
# Usage: template.sh FOLDER [ALPHASWARM-XDS]
set -eu

folder=$1
program=${2:-alphaswarm-xds}

# Ports and sizes can't be names on a command line: these numbers stand for them.
port=60001 admin=60002 metrics=60003 connections=60000004 heap=60000000005

# write FILE OPTION…: one bootstrap. The host stands as text that is a host's name, too.
write() {
    file=$folder/$1
    shift
    "$program" bootstrap --node-id @NODE_ID@ --node-group @NODE_GROUP@ --region @NODE_REGION@ --zone @NODE_ZONE@ \
        --server "XDS_HOST:$port" --admin-port "$admin" --metrics-port "$metrics" \
        --max-connections "$connections" --max-heap-bytes "$heap" "$@" |
        sed -e 's/"XDS_HOST"/"@XDS_HOST@"/' -e "s|$folder/@RUN_FOLDER@|@RUN_FOLDER@|" \
            -e "s/: $port\$/: @XDS_PORT@/" -e "s/: $admin\$/: @ADMIN_PORT@/" \
            -e "s/: $metrics\$/: @METRICS_PORT@/" \
            -e "s/: $connections\$/: @MAX_CONNECTIONS@/" -e "s/: $heap\$/: @MAX_HEAP_BYTES@/" >"$file"
    for name in NODE_ID NODE_GROUP NODE_REGION NODE_ZONE XDS_HOST XDS_PORT ADMIN_PORT METRICS_PORT \
        MAX_CONNECTIONS MAX_HEAP_BYTES; do
        grep -q "@$name@" "$file" || {
            echo "$file: no place for $name" >&2
            exit 1
        }
    done
}

mkdir -p "$folder"
write plain.json
# Folders are apart from the files' names: Envoy watches them.
write tls.json --server-name @XDS_SERVER_NAME@ --tls-secrets "$folder/@RUN_FOLDER@" \
    --tls-ca /@CA_FOLDER@/@CA_NAME@ --tls-cert /@CERT_FOLDER@/@CERT_NAME@ --tls-key /@KEY_FOLDER@/@KEY_NAME@
mv "$folder"/@RUN_FOLDER@/*.json "$folder"
rmdir "$folder/@RUN_FOLDER@"
