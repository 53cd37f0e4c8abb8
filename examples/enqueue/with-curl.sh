#!/bin/sh
# Requests a sync over HTTP, and waits up to a minute for the run.
set -eu

registry=${1:-examples}
curl --silent --show-error --fail-with-body \
  --header "Authorization: Bearer ${SYNCLINE_ADMIN_TOKEN:-}" \
  --header 'Content-Type: application/json' \
  --data '{"wait": 60}' \
  "${SYNCLINE_URL:-http://127.0.0.1:8080}/v1/registries/$registry/sync"
