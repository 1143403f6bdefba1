#!/bin/sh
# make.sh: writes what is missing of the passwords beside it, each another; none is ever replaced.
set -eu
umask 077
cd "$(dirname "$0")"

password() {
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n'
}

for user in web worker flower operator; do
    [ -e "redis-$user.env" ] || echo "REDIS_PASSWORD=$(password)" > "redis-$user.env"
done
[ -e flower.env ] || echo "FLOWER_BASIC_AUTH=petiole:$(password)" > flower.env
