#!/usr/bin/python3
"""A client of p2p-mes in one file.

    chat.py keygen                     makes a key, and prints its address
    chat.py send TO TEXT               TO: an address, or the id of a group
    chat.py history TO                 all messages, newest first
    chat.py read TO                    marks all of them as read
    chat.py group TITLE [ADDRESS...]   makes a group, and prints its id
    chat.py follow PLACE               prints messages as they come; PLACE: a file that remembers how far it was

P2PMES_NODE is the address of a node, P2PMES_KEY the file with the key.
Debian has all that it needs: apt install python3-ecdsa python3-pycryptodome b3sum
"""

import collections
import hashlib
import http.client
import itertools
import json
import os
import pathlib
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

from Cryptodome.Hash import keccak
from ecdsa import Ed25519, SECP256k1, SigningKey, VerifyingKey
from ecdsa.util import sigencode_string_canonize

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def blake3(*parts):
    return subprocess.run(["b3sum", "--raw"], input=b"".join(parts), stdout=subprocess.PIPE, check=True).stdout


def keccak256(data):
    return keccak.new(digest_bits=256, data=data).digest()


def u(size, number):
    return number.to_bytes(size, "big")


def hex0x(data):
    return "0x" + data.hex()


def unhex(text):
    return bytes.fromhex(text.removeprefix("0x"))


class User:
    """A secp256k1 key, and the address that Ethereum gives it."""

    def __init__(self, secret):
        self.key = SigningKey.from_string(secret, SECP256k1)
        self.address = keccak256(self.key.verifying_key.to_string())[-20:]

    def sign(self, text):
        """r, s and v in hex, s the lower of two. Two keys could have made it: v tells ours, 27 being that of even y."""
        digest = keccak256(text.encode())
        signature = self.key.sign_digest_deterministic(digest, hashlib.sha256, sigencode_string_canonize)
        keys = VerifyingKey.from_public_key_recovery_with_digest(signature, digest, SECP256k1, hashlib.sha256)
        return (signature + u(1, 27 + keys.index(self.key.verifying_key))).hex()


class Node:
    """A node, called in the name of a user."""

    def __init__(self, url, user):
        self.url, self.user, self.last = url.rstrip("/"), user, 0
        challenge = os.urandom(32)
        with urllib.request.urlopen(f"{self.url}/node?challenge={challenge.hex()}", timeout=10) as answer:
            info = json.load(answer)
        self.id = info["peer_id"]
        number = 0
        for letter in self.id:
            number = number * 58 + BASE58.index(letter)
        key = u(38, number)[6:]  # after 00 24 08 01 12 20: an Ed25519 key
        message = b"p2p-mes/challenge/v1" + challenge + self.id.encode()
        VerifyingKey.from_string(key, Ed25519).verify(unhex(info["signature"]), message)  # or BadSignatureError

    def now(self):
        """Milliseconds, never the same twice: a node takes one signature for one call."""
        self.last = max(self.last + 1, int(time.time() * 1000))
        return self.last

    def request(self, method, target, body=None, purpose="request", digest=None, ts=None, **headers):
        """A signed call. The digest of a write is the id of the record that it makes, others hash what they ask for."""
        ts = ts or self.now()
        digest = digest or blake3(b"p2p-mes/request/v1", method.encode(), b"\n", target.encode())
        signature = self.user.sign("\n".join(("p2p-mes/v1", purpose, str(ts), self.id, digest.hex())))
        headers |= {"X-User": hex0x(self.user.address), "X-Ts": str(ts), "X-Node": self.id, "X-Sig": signature}
        if body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(body).encode()
        return urllib.request.Request(self.url + target, body, headers, method=method)

    def write(self, path, body, purpose, kind, chat, *fields):
        """Waits for the commit. When no answer comes, the same call goes out again: it is done once, however often."""
        request = None
        for pause in (1, 2, 4, 8, None):
            if request is None:
                ts = self.now()
                digest = blake3(b"p2p-mes/", kind, b"/v1", chat, self.user.address, u(8, ts), *fields)
                request = self.request("POST", path, body, purpose, digest, ts, Prefer="wait=5")
            try:
                with urllib.request.urlopen(request, timeout=8) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as refusal:
                if purpose != "read" or refusal.code != 401 or pause is None:
                    raise
                request = None  # from before a restart of the node. A mark says how things are: it may be signed again
            except (OSError, http.client.HTTPException):
                if pause is None:
                    raise  # nobody knows: look for it, by its id, before you write anew
            time.sleep(pause)

    def chat(self, to):
        """The id of a conversation, and the path of its messages."""
        name = unhex(to)
        if len(name) == 20:
            return blake3(b"p2p-mes/dm/v1", *sorted((self.user.address, name))), f"/dialogs/{hex0x(name)}/messages"
        return name, f"/groups/{hex0x(name)}/messages"

    def send(self, to, text):
        chat, path = self.chat(to)
        content = text.encode()
        fields = (u(1, 0), u(4, len(content)), content, b"\0")  # msg_type 0, no control
        return self.write(path, {"content": text}, "message", b"msg", chat, *fields)

    def mark_read(self, to, hlc):
        chat, path = self.chat(to)
        return self.write(path + "/read", {"up_to": hlc}, "read", b"read", chat, bytes.fromhex(hlc))

    def create_group(self, title, members):
        nonce, node, name = os.urandom(16), self.id.encode(), title.encode()
        targets = sorted({unhex(member) for member in members})  # ascending, and each of them once
        chat = blake3(b"p2p-mes/group/v1", self.user.address, nonce)
        fields = (u(2, len(node)), node, u(1, 0), u(1, 0), u(2, len(targets)), *targets)  # op create, role member
        body = {"op": "create", "targets": [hex0x(each) for each in targets], "title": title, "nonce": hex0x(nonce)}
        path = f"/groups/{hex0x(chat)}/ops"
        self.write(path, body, "op", b"op", chat, *fields, b"\1", u(2, len(name)), name, b"\1", nonce)
        return hex0x(chat)

    def pages(self, path, key, direction):
        """The items of all pages. An empty cursor is the beginning, none the end."""
        cursor = ""
        while cursor is not None:
            target = f"{path}?limit=100&{direction}={urllib.parse.quote(cursor, safe='')}"
            with urllib.request.urlopen(self.request("GET", target), timeout=20) as answer:
                page = json.load(answer)
            yield from page[key]
            cursor = page["next"]

    def history(self, to):
        return self.pages(self.chat(to)[1], "messages", "before")

    def unread(self):
        """What others wrote and this user has not read, up to 999 messages a conversation, each with where it is."""
        for each in self.pages("/conversations", "conversations", "after"):
            to = each.get("peer", each["chat_id"])
            of_others = (message for message in self.history(to) if unhex(message["sender"]) != self.user.address)
            for message in reversed(list(itertools.islice(of_others, each["unread"]))):
                yield to, message

    def events(self, place):
        """(place, name, data) for ever, from `place` on. Where only the place has moved, the name is None."""
        while True:
            try:
                request = self.request("GET", "/events", **({"Last-Event-ID": place} if place else {}))
                with urllib.request.urlopen(request, timeout=40) as stream:  # a heartbeat comes every 15 s
                    event = {}
                    for line in stream:
                        field, _, value = line.decode().strip().partition(": ")
                        event[field] = value
                        if field == "":  # an empty line: the event is whole, and only now its id counts
                            place = event.get("id", place)
                            yield place, event.get("event"), json.loads(event.get("data", "null"))
                            event = {}
            except urllib.error.HTTPError as refusal:
                if refusal.code not in (401, 429, 503):
                    raise
                print(refusal.read().decode(), file=sys.stderr)  # busy, or it has just restarted: later
            except (OSError, http.client.HTTPException):
                pass  # cut, or silent for too long
            time.sleep(2)


def follow(node, file):
    """Prints messages of others and marks them as read. So what was never printed is unread, wherever events begin."""
    shown = collections.deque(maxlen=1000)

    def show(to, message):
        if message["msg_id"] not in shown:
            shown.append(message["msg_id"])
            print(to, message["sender"], json.dumps(message["content"]), flush=True)
            node.mark_read(to, message["hlc"])

    known = file.read_text() if file.exists() else None
    for place, name, data in node.events(known):
        if known is None or name == "reset":
            for to, message in node.unread():
                show(to, message)
        elif name == "message" and unhex(data["message"]["sender"]) != node.user.address:
            show(data.get("peer", data["message"]["chat_id"]), data["message"])
        known = place
        file.with_suffix(".new").write_text(place)
        file.with_suffix(".new").replace(file)


def main(command, *arguments):
    key_file = os.environ.get("P2PMES_KEY", "p2p-mes.key")
    if command == "keygen":
        key = SigningKey.generate(SECP256k1).to_string()
        with open(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            print(hex0x(key), file=file)
        return print(hex0x(User(key).address))
    user = User(unhex(pathlib.Path(key_file).read_text().strip()))
    node = Node(os.environ.get("P2PMES_NODE", "http://127.0.0.1:4280"), user)
    match command, *arguments:
        case "send", to, text:
            print(node.send(to, text)["msg_id"])
        case "history", to:
            for message in node.history(to):
                print(message["sender"], json.dumps(message["content"]))
        case "read", to:
            for newest in itertools.islice(node.history(to), 1):
                node.mark_read(to, newest["hlc"])
        case "group", title, *members:
            print(node.create_group(title, members))
        case "follow", place:
            follow(node, pathlib.Path(place))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:] or sys.exit(__doc__))
    except urllib.error.HTTPError as refusal:
        sys.exit(refusal.read().decode())
