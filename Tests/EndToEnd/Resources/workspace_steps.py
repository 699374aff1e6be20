"""Pull steps of the tests of workspaces."""
import importlib
import os
import shutil
import signal
import sys

STATE = []


def count(out):
    os.makedirs(out, exist_ok=True)
    with open(os.path.join(out, "steps"), "a") as file:
        file.write("1\n")


def change(directory, returns=None):
    os.makedirs(directory, exist_ok=True)
    os.chdir(directory)
    return None if returns is None else {"directory": returns}


def answer(value):
    return value


def write(file, text):
    if os.path.dirname(file):
        os.makedirs(os.path.dirname(file), exist_ok=True)
    with open(file, "w") as opened:
        opened.write(text)
    return {"written": file, "content": text}


def put(name, value):
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def extend(path, first=False):
    sys.path.insert(0 if first else len(sys.path), path)


def load(module):
    importlib.import_module(module)
    STATE.append(module)


def mask(value):
    os.umask(value)


def say(text):
    print(text, flush=True)
    os.write(1, f"{text}\n".encode())


def remove(returns):
    shutil.rmtree(os.getcwd())
    return {"directory": returns}


def fail():
    raise RuntimeError("on purpose")


def leave(how):
    if how == "exit":
        sys.exit(4)
    if how == "now":
        os._exit(5)
    os.kill(os.getpid(), signal.SIGKILL)
