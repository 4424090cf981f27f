"""A terminal for one program, steered from outside: what the program writes goes to stdout as it is; lines of JSON on stdin
type, resize and signal. At the end one line on stderr says how the program ended, and whether the line discipline is as it
was before.

    terminal.py ROWS COLUMNS PROGRAM [ARGUMENT...]
"""
import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import termios

rows, columns = int(sys.argv[1]), int(sys.argv[2])
program = sys.argv[3:]


def resize(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


ready, start = os.pipe()
pid, terminal = pty.fork()
if pid == 0:
    os.close(start)
    # not before its terminal has its size
    os.read(ready, 1)
    os.execvp(program[0], program)

resize(terminal, rows, columns)
before = termios.tcgetattr(terminal)
os.close(ready)
os.write(start, b"!")
steering = b""
inputs = [terminal, 0]
while terminal in inputs:
    readable, _, _ = select.select(inputs, [], [], 0.2)
    if terminal in readable:
        try:
            data = os.read(terminal, 65536)
        except OSError:
            data = b""
        if not data:
            break
        os.write(1, data)
    if 0 in readable:
        data = os.read(0, 65536)
        if not data:
            inputs.remove(0)
        steering += data
        *lines, steering = steering.split(b"\n")
        for line in lines:
            command = json.loads(line)
            if "type" in command:
                os.write(terminal, command["type"].encode())
            if "size" in command:
                resize(terminal, *command["size"])
            if "signal" in command:
                os.kill(pid, getattr(signal, command["signal"]))

_, status = os.waitpid(pid, 0)
after = termios.tcgetattr(terminal)
code = os.waitstatus_to_exitcode(status)
print(json.dumps({"code": code, "restored": after == before}), file=sys.stderr)
