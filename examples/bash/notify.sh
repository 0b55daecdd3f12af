#!/usr/bin/env bash
# notify.sh NUMBER TEXT: sends a text, with nc. Quotes and newlines in the text are jq's to escape.
#
# The key lets the send be repeated after a timeout without arriving twice; queue lets it wait while there is no network.
set -euo pipefail

request=$(jq -nc --arg to "$1" --arg text "$2" --arg key "notify-$(date +%s%N)" '{
  command: "send_message", recipient: $to, dataMessage: {message: $text},
  idempotencyKey: $key, queue: {ttlSeconds: 86400}}')

reply=$(nc -N localhost "${SIGNALBOX_PORT:-6789}" <<<"$request")

if [ "$(jq .statusCode <<<"$reply")" != 0 ]; then
  jq -r .errorMessage <<<"$reply" >&2
  exit 1
fi
