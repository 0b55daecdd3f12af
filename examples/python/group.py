#!/usr/bin/env python3
"""group.py TITLE TEXT: writes to the group of that title."""

import sys

from signalbox import Signalbox

title, text = sys.argv[1:]
with Signalbox() as box:
    groups = [group for group in box.call("list_groups")["groups"] if group["title"] == title]
    if not groups:
        sys.exit(f'there is no group "{title}"')
    box.call("send_message", groupId=groups[0]["groupId"], dataMessage={"message": text})
