#!/usr/bin/env python3
"""bot.py: answers "ping" with "pong", and keeps the files that it gets in the folder that is named, if one is."""

import base64
import pathlib
import sys

from signalbox import Signalbox

folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else None

with Signalbox() as box:
    for message in box.messages():
        for file in message.get("attachments", []) if folder else []:
            name = pathlib.Path(file.get("filename") or "file").name
            (folder / f"{message['id']}-{name}").write_bytes(base64.b64decode(file["base64Data"]))
            print("kept", name, flush=True)
        if message.get("body") == "ping":
            to = {"groupId": message["groupId"]} if "groupId" in message else {"recipient": message["senderUuid"]}
            # The message may come twice, after a crash; its answer leaves once.
            box.call("send_message", dataMessage={"message": "pong"}, idempotencyKey=f"pong-{message['id']}", **to)
            print("answered", flush=True)
