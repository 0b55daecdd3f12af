#!/usr/bin/env bash
# send-file.sh NUMBER FILE [TEXT]: sends a file, with socat. The file is encoded as it is read, and never in memory as a
# whole, here or in signalbox.
set -euo pipefail

quoted() { jq -n --arg text "$1" '$text'; }

{
  printf '{"command":"send_message","recipient":%s,' "$(quoted "$1")"
  printf '"dataMessage":{"message":%s,"attachments":[{"filename":%s,"base64Data":"' \
    "$(quoted "${3-}")" "$(quoted "$(basename "$2")")"
  base64 -w0 "$2"
  printf '"}]}}\n'
} | socat -t 120 - "TCP:localhost:${SIGNALBOX_PORT:-6789}" |
  jq -er 'if .statusCode == 0 then "sent" else .errorMessage | halt_error end'
