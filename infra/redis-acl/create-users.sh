#!/bin/sh
# Creates a random password for each Redis user of Syncline. Writes the hashes into users.acl, which Redis reads, and the
# passwords into ../.env, which Docker Compose reads. Never replaces existing passwords.
#
#   infra/redis-acl/create-users.sh [prefix]
set -eu
umask 077
prefix=${1:-syncline}
directory=$(cd "$(dirname "$0")" && pwd)
users=$directory/users.acl
passwords=$(dirname "$directory")/.env

for file in "$users" "$passwords"; do
  if [ -e "$file" ]; then
    echo "$file exists. Delete it to create new passwords" >&2
    exit 1
  fi
done
case $prefix in
  '' | *[!A-Za-z0-9_.:-]*) echo 'use a prefix of letters, digits, _ . : and -' >&2; exit 2 ;;
esac

hash_of() {
  if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -d ' ' -f 1
}

replace="s/PREFIX/$prefix/g"
for role in SCHEDULER WORKER API OPERATOR ENQUEUER; do
  password=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
  echo "REDIS_PASSWORD_OF_$role=$password" >>"$passwords"
  replace="$replace;s/HASH_OF_$role/$(printf %s "$password" | hash_of)/"
done

# A line with a space at its beginning continues the line before. Redis accepts no comments.
sed -e '/^#/d' -e '/^$/d' -e "$replace" "$directory/users.acl.template" |
  awk '/^ / { sub(/^ +/, " "); line = line $0; next } { if (line) print line; line = $0 } END { print line }' >"$users"
# Redis runs as another user. The file has only hashes of long random passwords.
chmod 644 "$users"
echo "wrote $users and $passwords"
