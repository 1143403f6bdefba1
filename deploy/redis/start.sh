#!/bin/sh
# start.sh SERVER OPTIONS…: starts Redis or Valkey with the users of users.acl and nobody else.
#
# Their passwords come from PETIOLE_REDIS_WEB_PASSWORD, …_WORKER_…, …_FLOWER_… and …_OPERATOR_…; the
# server reads hashes of them, and has none in its environment or its command line.
set -eu
umask 077

users=${PETIOLE_REDIS_USERS_FILE:-/tmp/users.acl}
unset PETIOLE_REDIS_USERS_FILE
cp "$(dirname "$0")/users.acl" "$users"

used=
for user in web worker flower operator; do
    setting=PETIOLE_REDIS_$(printf %s "$user" | tr '[:lower:]' '[:upper:]')_PASSWORD
    eval "password=\${$setting:-}"
    unset "$setting"
    if [ "${#password}" -lt 16 ]; then
        echo "$setting has ${#password} characters; set it to 16 or more, such as of: openssl rand -hex 24" >&2
        exit 1
    fi
    hash=$(printf %s "$password" | sha256sum | cut -d ' ' -f 1)
    case "$used" in *"$hash"*)
        echo "$setting is another user's password; set it to one of its own" >&2
        exit 1
    esac
    used="$used $hash"
    sed -i "s/#@$user@/#$hash/" "$users"
done
unset password

exec "$@" --aclfile "$users"
