"""Runs a command in a pseudo-terminal of 80x24, which becomes 44x10 later. Then ends it with a key or a signal.
Ctrl-Z stops it before; it then continues and ends with q.

Arguments: a text of the first screen, the key or the name of the signal, the command. Prints one JSON object.
"""
import fcntl, json, os, pty, select, signal, struct, sys, termios, time

text, end, *command = sys.argv[1:]
master, slave = pty.openpty()
output = b""


def resize(columns, rows):
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def screen(rows, text):
    """The lines of the next complete screen with this number of rows and this text."""
    global output
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for frame in reversed(output.split(b"\x1b[H")[1:]):
            lines = frame.decode(errors="replace").split("\x1b[K\r\n")
            if "\x1b[J" in frame.decode(errors="replace") and len(lines) == rows and text in frame.decode(errors="replace"):
                return [line.replace("\x1b[K", "").replace("\x1b[J", "") for line in lines]
        if select.select([master], [], [], 0.2)[0]:
            output += os.read(master, 65536)
    os.kill(child, signal.SIGKILL)
    sys.exit(f"There is no screen of {rows} rows with {text!r}: {output[-2000:]!r}")


resize(80, 24)
before = termios.tcgetattr(slave)
child = os.fork()
if child == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for descriptor in (0, 1, 2):
        os.dup2(slave, descriptor)
    os.closerange(3, 64)
    os.execv(command[0], command)
wide = screen(24, text)
during = termios.tcgetattr(slave)
resize(44, 10)
narrow = screen(10, "q quits")
if end.startswith("SIG"):
    os.kill(child, getattr(signal, end))
else:
    os.write(master, end.encode())
paused = None
if end == "\x1a":
    os.waitpid(child, os.WUNTRACED)
    paused = termios.tcgetattr(slave) == before
    output = b""
    os.kill(child, signal.SIGCONT)
    screen(10, "q quits")
    os.write(master, b"q")
status = None
while status is None:
    if select.select([master], [], [], 0.05)[0]:
        output += os.read(master, 65536)
    ended, code = os.waitpid(child, os.WNOHANG)
    status = os.waitstatus_to_exitcode(code) if ended else None
while select.select([master], [], [], 0)[0]:
    output += os.read(master, 65536)
print(json.dumps({
    "status": status, "paused": paused, "wide": wide, "narrow": narrow,
    "echoes": bool(during[3] & termios.ECHO), "restored": termios.tcgetattr(slave) == before,
    "left": output.endswith(b"\x1b[?25h\x1b[?1049l"),
}))
