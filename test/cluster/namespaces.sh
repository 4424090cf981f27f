#!/bin/sh
# Run by `unshare -rnm`: two namespaces, each a computer of its own on one LAN, and what is given as arguments in a third.
set -e
mount -t tmpfs tmpfs /run
mkdir /run/netns
ip link set lo up
ip link add lan type bridge
ip addr add 10.99.0.254/24 dev lan
ip link set lan up
for i in 1 2; do
  ip netns add "n$i"
  ip link add "v$i" type veth peer name eth0 netns "n$i"
  ip link set "v$i" master lan up
  nsenter --net="/run/netns/n$i" ip link set lo up
  nsenter --net="/run/netns/n$i" ip addr add "10.99.0.$i/24" dev eth0
  nsenter --net="/run/netns/n$i" ip link set eth0 up
  nsenter --net="/run/netns/n$i" ip route add default via 10.99.0.254
done
exec "$@"
