#!/usr/bin/env bash
# group.sh TITLE TEXT: writes to the group of that title.
set -euo pipefail

ask() { nc -N localhost "${SIGNALBOX_PORT:-6789}"; }

id=$(ask <<<'{"command":"list_groups"}' |
  jq -r --arg title "$1" 'first(.groups[] | select(.title == $title and .membership == "member")).groupId // ""')
if [ -z "$id" ]; then
  echo "there is no group \"$1\"" >&2
  exit 1
fi

jq -nc --arg id "$id" --arg text "$2" '{command: "send_message", groupId: $id, dataMessage: {message: $text}}' |
  ask | jq -r 'if .statusCode == 0 then "sent" else .errorMessage | halt_error end'
