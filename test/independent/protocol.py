"""The protocol from its specification: ids, strings to sign, signatures, and calls over HTTP."""

import base64
import http.client
import json
import time
import urllib.parse

from primitives import base58_decode, blake3, ecdsa_sign, ed25519_verify, keccak256, public_key

OPS = ("create", "add", "remove", "set-title")
ROLES = ("member", "admin")


def u8(x):
    return x.to_bytes(1, "big")


def u16(x):
    return x.to_bytes(2, "big")


def u32(x):
    return x.to_bytes(4, "big")


def u64(x):
    return x.to_bytes(8, "big")


def opt(data):
    return b"\0" if data is None else b"\x01" + data


def len16(data):
    return u16(len(data)) + data


def len32(data):
    return u32(len(data)) + data


def hex0x(data):
    return "0x" + data.hex()


def unhex(text):
    return bytes.fromhex(text[2:] if text[:2] in ("0x", "0X") else text)


def b64(data):
    return base64.b64encode(data).decode()


def address_of(secret):
    return keccak256(public_key(secret))[-20:]


def dm_chat_id(a, b):
    return blake3(b"p2p-mes/dm/v1" + min(a, b) + max(a, b))


def group_chat_id(creator, nonce):
    return blake3(b"p2p-mes/group/v1" + creator + nonce)


def msg_id(chat_id, sender, ts, msg_type, content, control):
    return blake3(b"p2p-mes/msg/v1" + chat_id + sender + u64(ts) + u8(msg_type) + len32(content.encode())
                  + opt(None if control is None else len32(control)))


def op_id(chat_id, actor, ts, node, op, role, targets, title, nonce):
    return blake3(b"p2p-mes/op/v1" + chat_id + actor + u64(ts) + len16(node.encode()) + u8(OPS.index(op))
                  + u8(ROLES.index(role)) + u16(len(targets)) + b"".join(targets)
                  + opt(None if title is None else len16(title.encode())) + opt(nonce))


def read_id(chat_id, reader, ts, up_to):
    return blake3(b"p2p-mes/read/v1" + chat_id + reader + u64(ts) + u64(up_to))


def identity_id(address, ts, blob):
    return blake3(b"p2p-mes/identity/v1" + address + u64(ts) + len16(blob))


def request_id(method, target):
    return blake3(b"p2p-mes/request/v1" + method.encode() + b"\n" + target.encode())


def string_to_sign(purpose, ts, node, digest):
    return "\n".join(("p2p-mes/v1", purpose, str(ts), node, digest.hex()))


def signed_digest(version, text):
    data = text.encode()
    if version == 2:
        data = b"\x19Ethereum Signed Message:\n" + str(len(data)).encode() + data
    return keccak256(data)


def sign(secret, version, text):
    """r || s || v in hex, v as 27 or 28."""
    r, s, parity = ecdsa_sign(secret, signed_digest(version, text))
    return (r.to_bytes(32, "big") + s.to_bytes(32, "big") + u8(27 + parity)).hex()


def node_public_key(peer_id):
    """The Ed25519 key inside a PeerId: an identity multihash of the protobuf {1: type, 2: key}."""
    data = base58_decode(peer_id)
    if len(data) != 38 or data[:6] != bytes((0x00, 0x24, 0x08, 0x01, 0x12, 0x20)):
        raise ValueError("not the PeerId of an Ed25519 key: " + peer_id)
    return data[6:]


def challenge_holds(peer_id, challenge, signature):
    message = b"p2p-mes/challenge/v1" + challenge + peer_id.encode()
    return ed25519_verify(node_public_key(peer_id), message, signature)


class User:
    def __init__(self, byte):
        self.secret = bytes((byte,)) * 32
        self.address = address_of(self.secret)
        self.hex = hex0x(self.address)


class Answer:
    def __init__(self, status, headers, raw):
        self.status, self.headers, self.raw = status, headers, raw
        is_json = (headers.get("content-type") or "").startswith("application/json")
        self.body = json.loads(raw.decode("utf-8")) if is_json and raw else None

    def get(self, *path):
        """The value at a path of keys and indices, or None."""
        value = self.body
        for key in path:
            try:
                value = value[key]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def __str__(self):
        return "%d %s" % (self.status, self.raw[:300].decode("utf-8", "replace"))


class Write:
    """A write before it is signed: its call, its purpose, and the id of the record that it makes."""

    def __init__(self, method, path, body, purpose, digest, ts):
        self.method, self.path, self.body = method, path, body
        self.purpose, self.digest, self.ts = purpose, digest, ts


class Node:
    """A node at a URL, with the id it told and its clock."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.host, self.port = parts.hostname, parts.port
        self.id, self.offset, self.last = "", 0, 0

    def send(self, method, target, headers=None, body=None):
        """One HTTP exchange, with everything as given."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=20)
        try:
            connection.request(method, target, body=body, headers=headers or {})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def now(self):
        """The node's time in ms, never the same twice: equal strings to sign are one call to a node."""
        self.last = max(self.last + 1, int(time.time() * 1000) + self.offset)
        return self.last

    def headers(self, user, purpose, digest, ts, version=1, node=None):
        named = self.id if node is None else node
        return {
            "X-User": user.hex,
            "X-Ts": str(ts),
            "X-Node": named,
            "X-Sig": sign(user.secret, version, string_to_sign(purpose, ts, named, digest)),
            **({} if version == 1 else {"X-Sig-Version": str(version)}),
        }

    def ask(self, user, target, method="GET", **options):
        """A signed request that writes nothing."""
        ts = options.pop("ts", None) or self.now()
        return self.send(method, target, self.headers(user, "request", request_id(method, target), ts, **options))

    def write(self, user, write, extra=None, **options):
        """A signed write."""
        headers = self.headers(user, write.purpose, write.digest, write.ts, **options)
        body = None
        if write.body is not None:
            headers["Content-Type"] = "application/json"
            body = write.body if isinstance(write.body, bytes) else json.dumps(write.body).encode()
        headers.update(extra or {})
        return self.send(write.method, write.path, headers, body)

    # The writes of §8. What a body leaves out has the value that the specification gives to absence.

    def message(self, user, chat_id, path, content, msg_type=None, control=None, ts=None):
        ts = ts or self.now()
        body = {"content": content}
        if msg_type is not None:
            body["msg_type"] = msg_type
        if control is not None:
            body["control"] = b64(control)
        return Write("POST", path, body, "message", msg_id(chat_id, user.address, ts, msg_type or 0, content, control), ts)

    def dm(self, user, peer, content, **fields):
        chat_id = dm_chat_id(user.address, peer.address)
        return self.message(user, chat_id, "/dialogs/%s/messages" % peer.hex, content, **fields)

    def to_group(self, user, chat_id, content, **fields):
        return self.message(user, chat_id, "/groups/%s/messages" % hex0x(chat_id), content, **fields)

    def mark(self, user, chat_id, path, up_to, ts=None):
        ts = ts or self.now()
        return Write("POST", path + "/read", {"up_to": up_to}, "read",
                     read_id(chat_id, user.address, ts, int(up_to, 16)), ts)

    def op(self, user, chat_id, op, role=None, targets=None, title=None, nonce=None, ts=None):
        ts = ts or self.now()
        body = {"op": op}
        if role is not None:
            body["role"] = role
        if targets is not None:
            targets = sorted(target.address for target in targets)
            body["targets"] = [hex0x(target) for target in targets]
        if title is not None:
            body["title"] = title
        if nonce is not None:
            body["nonce"] = hex0x(nonce)
        digest = op_id(chat_id, user.address, ts, self.id, op, role or "member", targets or [], title, nonce)
        return Write("POST", "/groups/%s/ops" % hex0x(chat_id), body, "op", digest, ts)

    def leave(self, user, chat_id, ts=None):
        ts = ts or self.now()
        digest = op_id(chat_id, user.address, ts, self.id, "remove", "member", [user.address], None, None)
        return Write("DELETE", "/groups/%s/membership" % hex0x(chat_id), None, "op", digest, ts)

    def identity(self, user, blob, ts=None):
        ts = ts or self.now()
        return Write("PUT", "/identity", {"identity": b64(blob)}, "identity", identity_id(user.address, ts, blob), ts)
