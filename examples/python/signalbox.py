"""A client of signalbox in a page of Python, without any package.

    with Signalbox() as box:
        box.send("+12025550101", "Hello")
"""

import base64
import json
import os
import socket


class Failure(Exception):
    """A reply whose statusCode is not 0."""

    def __init__(self, reply):
        super().__init__(reply.get("errorMessage"))
        self.code = reply["statusCode"]
        self.reply = reply


class Signalbox:
    """One connection. Its commands are answered one after the other, so use one for each thread."""

    def __init__(self, host="localhost", port=None):
        port = port or int(os.environ.get("SIGNALBOX_PORT", 6789))
        self.socket = socket.create_connection((host, port))
        self.stream = self.socket.makefile("rwb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()
        self.socket.close()

    def call(self, command, **fields):
        """Runs a command, and returns its reply."""
        self.stream.write(json.dumps({"command": command, **fields}).encode() + b"\n")
        self.stream.flush()
        line = self.stream.readline()
        if not line:
            raise ConnectionError("signalbox has closed the connection")
        reply = json.loads(line)
        if reply["statusCode"] != 0:
            raise Failure(reply)
        return reply

    def send(self, recipient, text="", files=(), **fields):
        """Sends a text, files, or both. Further fields are those of send_message, such as idempotencyKey."""
        message = {"message": text}
        if files:
            message["attachments"] = [attachment(path) for path in files]
        return self.call("send_message", recipient=recipient, dataMessage=message, **fields)

    def messages(self, types=("message",)):
        """Yields messages as they come, for ever. Each is acknowledged when the next one is asked for: one on which the
        program fails comes again."""
        while True:
            reply = self.call("receive_messages", timeout=-1, ack="manual", maxMessages=1, types=list(types))
            for message in reply["messages"]:
                yield message
                self.call("ack_messages", ids=[message["id"]])


def attachment(path):
    with open(path, "rb") as file:
        data = base64.b64encode(file.read()).decode()
    return {"filename": os.path.basename(path), "base64Data": data}
