#!/bin/sh
# Starts the server with a configuration that has the password, which so is in no argument that
# `ps` shows. Arguments are put behind redis.conf: start.sh "dir /data" "maxmemory 1gb"
set -eu
: "${REDIS_PASSWORD:?set REDIS_PASSWORD}"
umask 077
settings=${REDIS_SETTINGS:-/run/redis/redis.conf}
{
    cat "${0%/*}/redis.conf"
    printf '%s\n' "requirepass $REDIS_PASSWORD" "masterauth $REDIS_PASSWORD" "$@"
} >"$settings"
exec "${REDIS_SERVER:-valkey-server}" "$settings"
