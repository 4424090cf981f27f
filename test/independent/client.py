"""An HTTP client of p2p-mes that knows the protocol from its text alone.

    python3 client.py <url of a node> [shared.json]

It first checks itself against the shared vectors, then talks to the node as three users, recomputes every id that the
node answers with, and prints one line a check. Exit code: 0 when all hold, 1 when one does not, 2 for wrong usage.
The users' keys are fixed, so a node is good for one run.
"""

import json
import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import protocol as p  # noqa: E402
from primitives import SECP_N, blake3, ed25519_verify, keccak256  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
failures = []
count = 0


def check(name, actual, expected):
    global count
    count += 1
    if actual == expected:
        print("ok      " + name)
    else:
        failures.append(name)
        print("NOT OK  %s\n        expected %r\n        got      %r" % (name, expected, actual))
    sys.stdout.flush()


def check_status(name, answer, status):
    check(name, (answer.status, None if answer.status == status else str(answer)), (status, None))


def check_error(name, answer, status, tag, reason=None):
    """An error answer of §8: its status, `_tag`, a message, and the reason where the tag has reasons."""
    got = (answer.status, answer.get("_tag"), type(answer.get("message")).__name__, answer.get("reason"))
    check(name, (got, None if got[0] == status else str(answer)), ((status, tag, "str", reason), None))


# ---------------------------------------------------------------------------------------------- the client by itself

def primitives():
    check("BLAKE3 of nothing", blake3(b"").hex(), "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262")
    check("Keccak-256 of nothing", keccak256(b"").hex(),
          "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470")
    # RFC 8032 §7.1, test 1
    key = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    signature = bytes.fromhex("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
                              "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b")
    check("Ed25519 of RFC 8032", ed25519_verify(key, b"", signature), True)
    check("Ed25519 of another message", ed25519_verify(key, b"x", signature), False)


def vectors(file):
    with open(file, encoding="utf-8") as handle:
        v = json.load(handle)
    users = {p.unhex(key["address"]): p.unhex(key["private_key"]) for key in v["keys"]}
    for key in v["keys"]:
        check("vector: address", p.hex0x(p.address_of(p.unhex(key["private_key"]))), key["address"])

    def signed(name, entry, author, purpose, digest, id_field):
        check("vector: %s id" % name, p.hex0x(digest), entry[id_field])
        text = p.string_to_sign(purpose, v["ts"], v["node"], digest)
        check("vector: %s string" % name, text, entry["string_to_sign"])
        check("vector: %s signature" % name, p.sign(users[author], entry["sig_version"], text), entry["signature"])

    dm, group = v["dm_chat_id"], v["group_chat_id"]
    for a, b in (("a", "b"), ("b", "a")):
        check("vector: dm chat id", p.hex0x(p.dm_chat_id(p.unhex(dm[a]), p.unhex(dm[b]))), dm["out"])
    check("vector: group chat id", p.hex0x(p.group_chat_id(p.unhex(group["creator"]), p.unhex(group["nonce"]))),
          group["out"])
    for m in v["messages"]:
        control = None if m["control"] is None else p.unhex(m["control"])
        sender = p.unhex(m["sender"])
        digest = p.msg_id(p.unhex(m["chat_id"]), sender, m["ts"], m["msg_type"], m["content"], control)
        signed("message", m, sender, "message", digest, "msg_id")
    o = v["op"]
    digest = p.op_id(p.unhex(o["chat_id"]), p.unhex(o["actor"]), o["ts"], v["node"], o["op"], o["role"],
                     [p.unhex(t) for t in o["targets"]], o["title"], p.unhex(o["nonce"]))
    signed("op", o, p.unhex(o["actor"]), "op", digest, "op_id")
    r = v["read"]
    digest = p.read_id(p.unhex(r["chat_id"]), p.unhex(r["reader"]), r["ts"], int(r["up_to"], 16))
    signed("read", r, p.unhex(r["reader"]), "read", digest, "read_id")
    i = v["identity"]
    digest = p.identity_id(p.unhex(i["address"]), i["ts"], p.unhex(i["identity_hex"]))
    signed("identity", i, p.unhex(i["address"]), "identity", digest, "identity_id")
    q = v["request"]
    signed("request", q, p.unhex(v["keys"][0]["address"]), "request", p.request_id(q["method"], q["target"]),
           "request_id")


# --------------------------------------------------------------------------------------------------- against a node

alice, bob, carol = p.User(0xA1), p.User(0xB2), p.User(0xC3)


def path_of(peer):
    return "/dialogs/%s/messages" % peer.hex


def accepted(name, node, user, write, id_field, status=202, extra=None, **options):
    """A write that must be taken: the id it answers is the one computed here. Gives the answer's body."""
    answer = node.write(user, write, extra, **options)
    check_status(name, answer, status)
    check(name + ": " + id_field, answer.get(id_field), p.hex0x(write.digest))
    hlc = answer.get("hlc")
    check(name + ": hlc is 16 hex digits near ts", isinstance(hlc, str) and len(hlc) == 16 and hlc == hlc.lower()
          and abs((int(hlc, 16) >> 16) - write.ts) <= 90_000, True)
    return answer.body if isinstance(answer.body, dict) else {}


def shown(write, chat_id, sender, receipt, content, msg_type=0, control=None):
    """The message of §8 that a write must have become."""
    out = {"msg_id": p.hex0x(write.digest), "chat_id": p.hex0x(chat_id), "sender": sender.hex, "ts": write.ts,
           "hlc": receipt.get("hlc"), "msg_type": msg_type, "content": content}
    if control is not None:
        out["control"] = p.b64(control)
    return out


def about_node(node):
    challenge = os.urandom(32)
    answer = node.send("GET", "/node?challenge=" + challenge.hex())
    check_status("GET /node", answer, 200)
    node.id = answer.get("peer_id")
    node.offset = answer.get("time") - int(time.time() * 1000)
    signature = p.unhex(answer.get("signature") or "")
    check("challenge signature has 64 bytes", len(signature), 64)
    check("challenge is signed by the node's key", p.challenge_holds(node.id, challenge, signature), True)
    check("another challenge is not", p.challenge_holds(node.id, os.urandom(32), signature), False)
    fields = ["addresses", "limits", "network", "peer_id", "signature", "time", "version"]
    check("fields of /node", sorted(answer.body), fields)
    plain = node.send("GET", "/node")
    check("no signature without a challenge", sorted(plain.body), [field for field in fields if field != "signature"])
    check_error("a short challenge", node.send("GET", "/node?challenge=00"), 400, "InvalidRequest")
    for path in ("/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"):
        check_status("GET %s needs no signature" % path, node.send("GET", path), 200)
    check("openapi version", node.send("GET", "/openapi.json").get("openapi", slice(0, 4)), "3.1.")


def dialogs(node):
    chat = p.dm_chat_id(alice.address, bob.address)
    empty = node.ask(alice, path_of(bob))
    check("an empty dialog is an empty page", empty.body, {"messages": [], "next": None})
    texts = (("héllo \U0001F30D", None, None, 1), ("", 200, b"\x00\xff", 2), ("x" * 32768, 255, b"", 1))
    log = []
    for i, (content, msg_type, control, version) in enumerate(texts):
        write = node.dm(alice, bob, content, msg_type=msg_type, control=control)
        name = "dm %d, signature version %d" % (i + 1, version)
        receipt = accepted(name, node, alice, write, "msg_id", version=version)
        check(name + ": chat_id", receipt.get("chat_id"), p.hex0x(chat))
        log.append(shown(write, chat, alice, receipt, content, msg_type or 0, control))
    for i in range(2):
        write = node.dm(bob, alice, "answer %d" % i)
        receipt = accepted("answer %d with Prefer: wait" % i, node, bob, write, "msg_id", 201, {"Prefer": "wait=10"})
        log.append(shown(write, chat, bob, receipt, "answer %d" % i))
    hlcs = [message["hlc"] for message in log]
    check("hlcs ascend", hlcs, sorted(set(hlcs)))

    for reader, peer in ((alice, bob), (bob, alice)):
        page = node.ask(reader, path_of(peer))
        check("history, newest first", page.get("messages"), log[::-1])
        check("one page: next", page.get("next"), None)

    def walk(parameter, start):
        """All messages in pages of 2."""
        seen, cursor = [], start
        for _ in range(5):
            target = path_of(bob) + "?limit=2" + ("" if cursor is None else "&%s=%s" % (parameter, cursor))
            page = node.ask(alice, target)
            if page.status != 200 or len(page.get("messages")) > 2:
                return str(page)
            seen += page.get("messages")
            cursor = page.get("next")
            if cursor is None:
                return seen
        return "no end"
    check("history in pages, newest first", walk("before", None), log[::-1])
    first = node.ask(alice, path_of(bob) + "?limit=2")
    older = node.ask(alice, path_of(bob) + "?limit=2&before=" + str(first.get("next")))
    check("after a cursor, oldest first", walk("after", older.get("next")), log[2:] if older.get("next") else None)

    check_error("before and after at once",
                node.ask(alice, path_of(bob) + "?before=%s&after=%s" % ((first.get("next"),) * 2)),
                400, "InvalidRequest")
    for query in ("limit=0", "limit=501", "limit=x", "before=!"):
        check_error("history with " + query, node.ask(alice, path_of(bob) + "?" + query), 400, "InvalidRequest")
    one = node.ask(bob, path_of(alice) + "/" + log[1]["msg_id"])
    check("a message by its id", one.body, log[1])
    bare = "/dialogs/%s/messages/%s" % (bob.address.hex().upper(), log[0]["msg_id"][2:].upper())
    check("ids in upper case without 0x", node.ask(alice, bare).body, log[0])
    check_error("an unknown message", node.ask(bob, path_of(alice) + "/0x" + "00" * 32), 404, "NotFound")
    check_error("a message of another dialog", node.ask(alice, path_of(carol) + "/" + log[1]["msg_id"]),
                404, "NotFound")

    note = node.dm(alice, alice, "to myself")
    receipt = accepted("a note to oneself", node, alice, note, "msg_id")
    own = p.dm_chat_id(alice.address, alice.address)
    check("history with oneself", node.ask(alice, path_of(alice)).get("messages"),
          [shown(note, own, alice, receipt, "to myself")])
    return chat, log


def dialog_entry(node, user, peer):
    entries = node.ask(user, "/conversations").get("conversations") or []
    return next((entry for entry in entries if entry.get("peer") == peer.hex), None)


def reading(node, chat, log):
    check("inbox of bob", node.ask(bob, "/conversations").body, {"conversations": [
        {"kind": "dm", "chat_id": p.hex0x(chat), "peer": alice.hex, "newest": log[-1], "unread": 3}], "next": None})
    mark = node.mark(bob, chat, path_of(alice), log[1]["hlc"])
    accepted("a read mark", node, bob, mark, "read_id")
    check("unread above the mark", (dialog_entry(node, bob, alice) or {}).get("unread"), 1)
    accepted("a lower read mark", node, bob, node.mark(bob, chat, path_of(alice), log[0]["hlc"]), "read_id")
    check("marks do not go back", (dialog_entry(node, bob, alice) or {}).get("unread"), 1)
    last = node.mark(bob, chat, path_of(alice), log[-1]["hlc"])
    accepted("a mark of everything, version 2, committed", node, bob, last, "read_id", 201, {"Prefer": "wait=10"},
             version=2)
    check("all read", (dialog_entry(node, bob, alice) or {}).get("unread"), 0)
    check("the peer's own count", (dialog_entry(node, alice, bob) or {}).get("unread"), 2)
    check("notes to oneself are not unread", (dialog_entry(node, alice, alice) or {}).get("unread"), 0)
    far = "%016x" % ((node.now() + 70_000) << 16)
    check_error("a mark more than MAX_DRIFT ahead", node.write(bob, node.mark(bob, chat, path_of(alice), far)),
                400, "InvalidRequest")


def groups(node):
    nonce = os.urandom(16)
    chat = p.group_chat_id(alice.address, nonce)
    members = "/groups/%s/members" % p.hex0x(chat)
    path = "/groups/%s/messages" % p.hex0x(chat)

    def roster(user=alice):
        answer = node.ask(user, members)
        listed = answer.get("members")
        return sorted((m["address"], m["role"], m["since"]) for m in listed) if listed is not None else str(answer)

    def op(name, user, draft, op_name, **fields):
        return accepted(name, node, user, node.op(user, chat, op_name, **fields), "op_id", **draft).get("hlc")

    def refused(name, user, op_name, status, tag, reason=None, **fields):
        check_error(name, node.write(user, node.op(user, chat, op_name, **fields)), status, tag, reason)

    check_error("members of an unknown group", node.ask(alice, members), 404, "NotFound")
    check_error("a message to an unknown group", node.write(alice, node.to_group(alice, chat, "?")), 404, "NotFound")
    born = op("create a group", alice, {}, "create", nonce=nonce, targets=[bob], title="plan")
    answer = node.ask(bob, members)
    check("title and chat of members", (answer.get("title"), answer.get("chat_id")), ("plan", p.hex0x(chat)))
    check("members of a new group", roster(), sorted([(alice.hex, "admin", born), (bob.hex, "member", born)]))
    refused("create it again", alice, "create", 409, "Conflict", "group-exists", nonce=nonce)
    check_error("members for an outsider", node.ask(carol, members), 403, "Forbidden")
    check_error("history for an outsider", node.ask(carol, path), 403, "Forbidden")
    check_error("a message of an outsider", node.write(carol, node.to_group(carol, chat, "no")), 403, "Forbidden")
    entry = (node.ask(bob, "/conversations").get("conversations") or [{}])[0]
    check("a new group leads the inbox", entry, {"kind": "group", "chat_id": p.hex0x(chat), "title": "plan",
                                                 "newest": None, "unread": 0})

    log = []
    for user, content, control, version in ((alice, "one", None, 1), (bob, "two", b"c", 2), (alice, "three", None, 1)):
        write = node.to_group(user, chat, content, control=control)
        receipt = accepted("group message " + content, node, user, write, "msg_id", version=version)
        check("group message %s: chat_id" % content, receipt.get("chat_id"), p.hex0x(chat))
        log.append(shown(write, chat, user, receipt, content, 0, control))
    check("history of the group", node.ask(bob, path).body, {"messages": log[::-1], "next": None})
    half = node.ask(bob, path + "?limit=2")
    rest = node.ask(bob, path + "?limit=2&before=" + str(half.get("next")))
    check("history of the group in pages", (half.get("messages"), rest.get("messages"), rest.get("next")),
          (log[:0:-1], log[:1], None))
    check("a group message by its id", node.ask(alice, path + "/" + log[1]["msg_id"]).body, log[1])
    accepted("a group read mark", node, bob, node.mark(bob, chat, path, log[1]["hlc"]), "read_id")
    entry = (node.ask(bob, "/conversations").get("conversations") or [{}])[0]
    check("inbox of the group", entry, {"kind": "group", "chat_id": p.hex0x(chat), "title": "plan",
                                        "newest": log[-1], "unread": 1})
    check_error("a read mark of an outsider", node.write(carol, node.mark(carol, chat, path, log[0]["hlc"])),
                403, "Forbidden")

    refused("a member adds", bob, "add", 403, "Forbidden", targets=[carol])
    refused("add who is there", alice, "add", 409, "Conflict", "no-change", targets=[bob])
    joined = op("add carol", alice, {"version": 2}, "add", targets=[carol], role="member")
    check("members with carol", roster(carol),
          sorted([(alice.hex, "admin", born), (bob.hex, "member", born), (carol.hex, "member", joined)]))
    check("what was said before she joined is read", (dialog_group(node, carol, chat) or {}).get("unread"), 0)
    op("carol becomes an admin", alice, {"status": 201, "extra": {"Prefer": "wait=10"}}, "add", targets=[carol],
       role="admin")
    check("members with an admin carol", roster(bob),
          sorted([(alice.hex, "admin", born), (bob.hex, "member", born), (carol.hex, "admin", joined)]))
    op("carol sets the title", carol, {}, "set-title", title="p\u00e4rty")
    check("the title is set", node.ask(bob, members).get("title"), "p\u00e4rty")
    refused("the same title again", carol, "set-title", 409, "Conflict", "no-change", title="p\u00e4rty")
    refused("remove the creator", carol, "remove", 409, "Conflict", "creator", targets=[alice])
    refused("demote the creator", carol, "add", 409, "Conflict", "creator", targets=[alice], role="member")
    op("demote carol", alice, {}, "add", targets=[carol], role="member")
    refused("a demoted admin", carol, "set-title", 403, "Forbidden", title="mine")
    op("clear the title", alice, {}, "set-title", title="")
    check("the title is cleared", node.ask(bob, members).get("title"), "")
    refused("the last admin leaves by an op", alice, "remove", 409, "Conflict", "last-admin", targets=[alice])

    spoken = node.to_group(carol, chat, "goodbye")
    receipt = accepted("carol speaks", node, carol, spoken, "msg_id")
    log.append(shown(spoken, chat, carol, receipt, "goodbye"))
    leave = node.leave(carol, chat)
    accepted("carol leaves", node, carol, leave, "op_id")
    check("leaving twice with one signature is one write", node.write(carol, leave).get("op_id"), p.hex0x(leave.digest))
    check("members without carol", roster(), sorted([(alice.hex, "admin", born), (bob.hex, "member", born)]))
    check_error("history for one who left", node.ask(carol, path), 403, "Forbidden")
    check("her inbox has no group", dialog_group(node, carol, chat), None)
    check("what she said stays", node.ask(bob, path).get("messages"), log[::-1])
    back = op("carol comes back", alice, {}, "add", targets=[carol])
    check("since is new", (carol.hex, "member", back) in roster(), True)
    refused("remove nobody who is there", alice, "remove", 409, "Conflict", "no-change", targets=[p.User(0xD4)])
    op("remove carol and bob", alice, {}, "remove", targets=[carol, bob])
    check("alice is alone", roster(), [(alice.hex, "admin", born)])
    accepted("the last one leaves", node, alice, node.leave(alice, chat), "op_id")
    check_error("nobody reads the group", node.ask(alice, members), 403, "Forbidden")

    # form, against a group that nobody is in: the body is judged before authority
    refused("create without a nonce", alice, "create", 400, "InvalidRequest", targets=[bob])
    refused("create with oneself as target", alice, "create", 400, "InvalidRequest", targets=[alice], nonce=nonce)
    refused("create another id than the path", bob, "create", 400, "InvalidRequest", nonce=nonce)
    refused("add nobody", alice, "add", 400, "InvalidRequest", targets=[])
    refused("add with a title", alice, "add", 400, "InvalidRequest", targets=[bob], title="x")
    refused("remove with a role", alice, "remove", 400, "InvalidRequest", targets=[bob], role="admin")
    refused("set-title without a title", alice, "set-title", 400, "InvalidRequest")
    refused("set-title with targets", alice, "set-title", 400, "InvalidRequest", targets=[bob], title="x")
    refused("a title of 129 bytes", alice, "set-title", 400, "InvalidRequest", title="\u00e9" * 64 + "x")
    twice = node.op(alice, chat, "add", targets=[bob, bob])
    check_error("a target twice", node.write(alice, twice), 400, "InvalidRequest")


def dialog_group(node, user, chat):
    entries = node.ask(user, "/conversations").get("conversations") or []
    return next((entry for entry in entries if entry["chat_id"] == p.hex0x(chat)), None)


def identities(node):
    path = "/identity/" + alice.hex
    check_error("an identity never set", node.ask(bob, path), 404, "NotFound")
    for blob, version in ((b"\x01\x02\x03", 1), (bytes(range(128)), 2), (b"", 1)):
        write = node.identity(alice, blob)
        receipt = accepted("identity of %d bytes" % len(blob), node, alice, write, "identity_id", version=version)
        check("identity of %d bytes is read" % len(blob), node.ask(bob, path).body,
              {"address": alice.hex, "identity": p.b64(blob), "hlc": receipt.get("hlc")})
    check_error("an identity of 129 bytes", node.write(alice, node.identity(alice, bytes(129))), 400, "InvalidRequest")


def authentication(node):
    target = "/conversations?limit=1"
    ts = node.now()
    check_status("a request", node.ask(alice, target, ts=ts), 200)
    check_error("the same request", node.ask(alice, target, ts=ts), 401, "Unauthenticated", "replayed")
    check_error("the same request, version 2", node.ask(alice, target, ts=ts, version=2), 401, "Unauthenticated",
                "replayed")

    write = node.dm(alice, bob, "only once")
    first = node.write(alice, write)
    check("a repeated write has its first answer", node.write(alice, write).body, first.body)
    check("also in signature version 2", node.write(alice, write, version=2).body, first.body)
    check("and it is there once", [m["content"] for m in node.ask(bob, path_of(alice) + "?limit=5").get("messages")]
          .count("only once"), 1)

    def refused(name, reason, change, purpose="request", **options):
        ts = options.pop("ts", None) or node.now()
        headers = node.headers(alice, purpose, p.request_id("GET", target), ts, **options)
        change(headers)
        answer = node.send("GET", target, headers)
        check_error(name, answer, 401, "Unauthenticated", reason)
        return answer

    def put(name, value):
        return lambda headers: headers.__setitem__(name, value)

    def same(headers):
        return None
    other = "12D3KooWGzh8mCmvhYkjQg5gqLhQSnRy4bRkFkLhrTfAwB3VwF4c"
    for name in ("X-User", "X-Ts", "X-Node", "X-Sig"):
        refused("without " + name, "missing-header", lambda headers, name=name: headers.pop(name))
    for name, value in (("X-User", "0x00"), ("X-Ts", "01"), ("X-Ts", "-1"), ("X-Ts", str(1 << 48)), ("X-Sig", "0x00"),
                        ("X-Sig-Version", "3"), ("X-Sig-Version", "")):
        refused("%s: %r" % (name, value), "malformed-header", put(name, value))
    answer = refused("the id of another node", "wrong-node", same, node=other)
    check("wrong-node tells the node's id", node.id in answer.raw.decode(), True)
    for shift in (-40_000, 40_000):
        answer = refused("a ts %d ms off" % shift, "expired", same, ts=node.now() + shift)
        times = [value for value in answer.body.values() if isinstance(value, int)]
        check("expired tells the server's time", len(times) == 1 and abs(times[0] - node.now()) < 20_000, True)
    refused("wrong node and expired: the node comes first", "wrong-node", same, node=other, ts=node.now() - 90_000)
    refused("another user", "bad-signature", put("X-User", bob.hex))
    refused("another version than signed", "bad-signature", put("X-Sig-Version", "2"))
    refused("another purpose", "bad-signature", same, purpose="message")

    def twist(make):
        def change(headers):
            sig = headers["X-Sig"]
            r, s, v = int(sig[:64], 16), int(sig[64:128], 16), int(sig[128:], 16)
            headers["X-Sig"] = "%064x%064x%02x" % make(r, s, v)
        return change
    for name, make in (("high s", lambda r, s, v: (r, SECP_N - s, 55 - v)), ("r zero", lambda r, s, v: (0, s, v)),
                       ("s zero", lambda r, s, v: (r, 0, v)), ("r = n", lambda r, s, v: (SECP_N, s, v)),
                       ("v = 29", lambda r, s, v: (r, s, 29)), ("v = 2", lambda r, s, v: (r, s, 2))):
        ts = node.now()
        headers = node.headers(alice, "request", p.request_id("GET", target), ts)
        twist(make)(headers)
        check_error("a signature with " + name, node.send("GET", target, headers), 401, "Unauthenticated",
                    "malformed-header")
    for name, make in (("v as 0 or 1", lambda r, s, v: (r, s, v - 27)), ("the other v", lambda r, s, v: (r, s, 55 - v))):
        headers = node.headers(alice, "request", p.request_id("GET", target), node.now())
        twist(make)(headers)
        check_status("a signature with " + name, node.send("GET", target, headers), 200)
    headers = node.headers(alice, "request", p.request_id("GET", target), node.now())
    headers["X-User"] = alice.address.hex().upper()
    headers["X-Sig"] = "0x" + headers["X-Sig"].upper()
    check_status("hex in upper case, with and without 0x", node.send("GET", target, headers), 200)
    for other_target in ("/conversations?limit=2", "/conversations"):
        headers = node.headers(alice, "request", p.request_id("GET", target), node.now())
        check_error("a signature for another target than " + other_target, node.send("GET", other_target, headers),
                    401, "Unauthenticated", "bad-signature")


def bodies(node):
    def raw(body, digest_of="x", extra=None, user=alice):
        write = node.dm(user, bob, digest_of)
        write.body = body
        return node.write(user, write, extra)
    for name, body in (("not JSON", b"{"), ("an array", b"[]"), ("empty", b""), ("no content", b"{}"),
                       ("an unknown key", b'{"content":"x","more":1}'), ("content a number", b'{"content":1}'),
                       ("msg_type 256", b'{"content":"x","msg_type":256}'), ("msg_type -1", b'{"content":"x","msg_type":-1}'),
                       ("msg_type 1.5", b'{"content":"x","msg_type":1.5}'), ("control null", b'{"content":"x","control":null}'),
                       ("a lone surrogate", b'{"content":"\\ud800"}'), ("invalid UTF-8", b'{"content":"\xff"}'),
                       ("control unpadded", b'{"content":"x","control":"AA"}'),
                       ("control with loose bits", b'{"content":"x","control":"AB=="}'),
                       ("control url-safe", b'{"content":"x","control":"__8="}')):
        check_error("body: " + name, raw(body), 400, "InvalidRequest")
    check_error("body: another content than signed", raw(b'{"content":"y"}'), 401, "Unauthenticated", "bad-signature")
    check_error("body: 256 KiB and more", raw(b'{"content":"' + b"x" * (256 * 1024) + b'"}'), 413, "TooLarge")
    check_error("a media type that is not JSON", raw(b'{"content":"x"}', extra={"Content-Type": "text/plain"}),
                415, "InvalidRequest")
    wrong = node.dm(alice, bob, "x")
    wrong.body = {"content": "x", "more": 1}
    check_error("the body is judged before the signature", node.write(alice, wrong, {"X-User": bob.hex}),
                400, "InvalidRequest")
    check_error("an unknown path", node.ask(alice, "/nowhere"), 404, "NotFound")
    for path in ("/dialogs/%zz/messages", "/dialogs/%ff/messages"):
        check_error("a path that cannot be decoded: " + path, node.ask(alice, path), 404, "NotFound")
    head = node.send("HEAD", path_of(bob) + "/read")
    check("HEAD of a path that takes POST only", (head.status, head.headers.get("Allow")), (405, "POST"))
    answer = node.ask(alice, "/conversations", method="DELETE")
    check_error("a method the path does not have", answer, 405, "InvalidRequest")
    # RFC 9110 §9.1 asks for HEAD where there is GET; this one is not signed
    for method in ("HEAD", "TRACE", "PATCH", "PROPFIND"):
        for path in ("/node", "/openapi.json", "/identity/" + alice.hex):
            status = node.send(method, path).status
            check("%s %s" % (method, path[:14]), status in ((200, 401) if method == "HEAD" else (405,)) or status, True)
    check("405 lists the methods", "GET" in (answer.headers.get("Allow") or ""), True)
    check_error("a path that is no address", node.ask(alice, "/identity/0x00"), 400, "InvalidRequest")
    asked = "x-user,x-ts,x-node,x-sig,x-sig-version,content-type,prefer"
    preflight = node.send("OPTIONS", "/dialogs/%s/messages" % bob.hex,
                          {"Origin": "https://chat.example", "Access-Control-Request-Method": "POST",
                           "Access-Control-Request-Headers": asked})
    allowed = (preflight.headers.get("Access-Control-Allow-Headers") or "").lower()
    check("preflight", (preflight.status in (200, 204), preflight.headers.get("Access-Control-Allow-Origin")),
          (True, "*"))
    check("preflight allows the headers of a call", [h for h in asked.split(",") if h not in allowed], [])
    plain = node.send("GET", "/node", {"Origin": "https://chat.example"})
    check("any origin may read", plain.headers.get("Access-Control-Allow-Origin"), "*")


def inbox_pages(node):
    whole = node.ask(alice, "/conversations").get("conversations")
    check("alice's dialogs, newest activity first", [c.get("peer") for c in whole], [bob.hex, alice.hex])
    seen, cursor = [], None
    for _ in range(4):
        page = node.ask(alice, "/conversations?limit=1" + ("" if cursor is None else "&after=" + cursor))
        seen += page.get("conversations") or []
        cursor = page.get("next")
        if cursor is None:
            break
    check("the inbox in pages", seen, whole)
    check_error("inbox with limit=0", node.ask(alice, "/conversations?limit=0"), 400, "InvalidRequest")


def clock(node, chat):
    """Last, since it moves the node's clock: a mark may be ahead of the wall clock, and its stamp is not below it."""
    ahead = "%016x" % ((node.now() + 20_000) << 16 | 7)
    receipt = accepted("a mark 20 s ahead", node, bob, node.mark(bob, chat, path_of(alice), ahead), "read_id")
    check("its hlc is not below up_to", receipt.get("hlc", "") >= ahead, True)
    write = node.dm(alice, bob, "later")
    receipt = accepted("a message after it", node, alice, write, "msg_id")
    check("the clock goes on from there", receipt.get("hlc", "") > ahead, True)
    check("so the message is unread", (dialog_entry(node, bob, alice) or {}).get("unread"), 1)


def main(arguments):
    if len(arguments) not in (1, 2):
        print(__doc__)
        return 2
    primitives()
    vectors(arguments[1] if len(arguments) == 2 else os.path.join(HERE, "..", "vectors", "shared.json"))
    if failures:
        print("the client itself is wrong: the node was not asked")
        return 1
    node = p.Node(arguments[0])
    about_node(node)
    chat, log = dialogs(node)
    reading(node, chat, log)
    groups(node)
    identities(node)
    authentication(node)
    bodies(node)
    inbox_pages(node)
    clock(node, chat)
    print("%d checks, %d failed" % (count, len(failures)))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
