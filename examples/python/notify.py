#!/usr/bin/env python3
"""notify.py NUMBER TEXT [FILE...]: sends a text, and files."""

import sys
import uuid

from signalbox import Failure, Signalbox

with Signalbox() as box:
    try:
        # The key lets the send be repeated after a timeout; queue lets it wait while there is no network.
        box.send(sys.argv[1], sys.argv[2], sys.argv[3:], idempotencyKey=str(uuid.uuid4()), queue={"ttlSeconds": 86400})
    except Failure as failure:
        sys.exit(f"not sent: {failure}")
