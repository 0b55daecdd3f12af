#!/usr/bin/env bash
# bot.sh: answers "ping" with "pong", on one connection that stays open, without nc or socat.
#
# A message is acknowledged after the answer has left: whatever breaks before that, the message comes again. The answer's
# key is made of the message's id, so that it is sent once, however often the message comes.
set -euo pipefail

exec 3<>"/dev/tcp/localhost/${SIGNALBOX_PORT:-6789}"

ask() { # sends a request, and prints its reply
  printf '%s\n' "$1" >&3
  local reply
  IFS= read -r reply <&3
  printf '%s\n' "$reply"
}

while true; do
  reply=$(ask '{"command":"receive_messages","timeout":-1,"ack":"manual","types":["message"],"maxMessages":1}')
  if [ "$(jq .statusCode <<<"$reply")" != 0 ]; then
    jq -r .errorMessage <<<"$reply" >&2
    exit 1
  fi
  message=$(jq -c '.messages[0] // empty' <<<"$reply")
  [ -n "$message" ] || continue
  if [ "$(jq -r .body <<<"$message")" = ping ]; then
    answer=$(jq -c '{command: "send_message", dataMessage: {message: "pong"}, idempotencyKey: ("pong-" + .id)}
      + if .groupId then {groupId} else {recipient: .senderUuid} end' <<<"$message")
    ask "$answer" | jq -r 'if .statusCode == 0 then "answered" else .errorMessage end'
  fi
  ask "$(jq -c '{command: "ack_messages", ids: [.id]}' <<<"$message")" >/dev/null
done
