#!/bin/sh
# Two users and a group, by the command line. In a checkout of p2p-mes, with a node running: sh examples/shell/conversation.sh
# P2PMES_NODE names another node than the default one, KEYS a directory for the keys, MES another way to start p2p-mes.
set -eu
keys=${KEYS:-$(mktemp -d)}
mes() { ${MES:-npx p2p-mes} "$@"; }

alice=$(mes keygen --out "$keys/alice.key" 2>/dev/null)
bob=$(mes keygen --out "$keys/bob.key" 2>/dev/null)

# `send` waits until the node has committed, and prints the message's id
mes send --key "$keys/alice.key" "$bob" "hello Bob" >/dev/null
# the rest of a pipe is a message too
uname -s | mes send --key "$keys/alice.key" "$bob" - >/dev/null

# --json: one value a line, for programs. Reading marks as read; --peek would not
mes inbox --key "$keys/bob.key" --json | grep -o '"unread":[0-9]*'
mes read --key "$keys/bob.key" --all --json "$alice" | sed 's/.*"content":"\([^"]*\)".*/Bob reads: \1/'

# a group is named by its id wherever a user is named by an address
group=$(mes group create --key "$keys/alice.key" --title plan "$bob")
mes group add --key "$keys/alice.key" --admin "$group" "$bob" >/dev/null
mes group title --key "$keys/bob.key" "$group" "the plan" >/dev/null
mes send --key "$keys/bob.key" "$group" "hello all" >/dev/null
mes group members --key "$keys/alice.key" "$group"

# 128 bytes for what others shall know of you
mes identity set --key "$keys/bob.key" Bob >/dev/null
mes identity get --key "$keys/alice.key" "$bob"
