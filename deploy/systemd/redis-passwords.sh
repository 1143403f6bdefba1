#!/bin/sh
# redis-passwords.sh [FOLDER]: makes a password for each user of Redis, once, in files for root alone.
#
# systemd reads them as root: redis.env for the server, web.env, worker.env, flower.env and
# operator.env for those who ask it. No password is ever in a command line.
set -eu
umask 077

folder=${1:-/etc/petiole}
if [ -e "$folder/redis.env" ]; then
    echo "$folder/redis.env is there already; delete it, and start all units anew, for new passwords" >&2
    exit 1
fi
mkdir -p "$folder"
: > "$folder/redis.env.new"
for user in web worker flower operator; do
    password=$(od -An -v -tx1 -N24 /dev/urandom | tr -d ' \n')
    setting=PETIOLE_REDIS_$(printf %s "$user" | tr '[:lower:]' '[:upper:]')_PASSWORD
    printf '%s=%s\n' "$setting" "$password" >> "$folder/redis.env.new"
    printf 'REDIS_URL=redis://%s@127.0.0.1:6390/0\nREDIS_PASSWORD=%s\n' "$user" "$password" \
        > "$folder/$user.env"
done
mv "$folder/redis.env.new" "$folder/redis.env"
