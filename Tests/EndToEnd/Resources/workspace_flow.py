"""A flow that writes its surroundings. Each line that the flow or its hook writes is one JSON object."""
import importlib
import json
import os
import signal
import site
import sys
import sysconfig

from prefect import flow

OWN = ("WS_", "PREFECT__FLOW_ENTRYPOINT", "PREFECT__STORAGE_BASE_PATH", "PREFECT_LOGGING_LEVEL", "PYTHONPATH")


def of_the_interpreter(entry):
    """Replaces an entry of sys.path that belongs to the interpreter by a name, so that interpreters can be compared."""
    paths = sysconfig.get_paths()
    if entry in site.getsitepackages() + [paths["purelib"], paths["platlib"]]:
        return "<packages>"
    for root in (paths["stdlib"], paths["platstdlib"], os.path.realpath(paths["stdlib"])):
        if entry == root:
            return "<library>"
        if entry == os.path.join(root, "lib-dynload"):
            return "<extensions>"
        if os.path.dirname(entry) == os.path.dirname(root) and entry.endswith(".zip"):
            return "<archive>"
    return entry


def below(directory):
    found = {}
    for parent, directories, files in os.walk(directory):
        directories[:] = sorted(name for name in directories if name not in ("__pycache__", ".git"))
        for name in sorted(files):
            path = os.path.join(parent, name)
            with open(path, "rb") as file:
                content = file.read()
            text = content.decode(errors="replace")
            found[os.path.relpath(path, directory)] = text if len(text) < 120 else f"{len(text)} characters"
        if len(found) > 60:
            return {"too many": len(found)}
        for name in directories:
            if not os.listdir(os.path.join(parent, name)):
                found[os.path.relpath(os.path.join(parent, name), directory) + "/"] = ""
    return found


def brought():
    """The names of the test's modules that were loaded before this module."""
    names = {"pf", "pkg", "pkg.mod", "sibling", "late", "wsteps", "own"} - {__name__}
    return sorted(names & set(sys.modules))


LOADED = brought()

try:
    import sibling
except ImportError:
    sibling = None


def write(out, name, **seen):
    late = None
    try:
        late = importlib.import_module("late").WORD
    except ImportError:
        pass
    umask = os.umask(0o22)
    os.umask(umask)
    # Each worker has its own program for hooks. Python puts the directory of that program first.
    own = os.path.dirname(os.path.abspath(sys.argv[0])) if "program" in seen else None
    seen = {
        "directory": os.getcwd(),
        "files": below(os.getcwd()),
        "sys.path": [of_the_interpreter(entry) for entry in sys.path if entry != own],
        "environment": {name: value for name, value in os.environ.items() if name.startswith(OWN)},
        "module": [__name__, __file__],
        "program": os.path.basename(sys.argv[0]),
        "sibling": sibling and [sibling.WORD, sibling.__file__],
        "late": late,
        "loaded": LOADED,
        "umask": oct(umask),
        "of steps": getattr(sys.modules.get("wsteps"), "STATE", None),
    } | seen
    os.makedirs(out, exist_ok=True)
    with open(os.path.join(out, name), "a") as file:
        file.write(json.dumps(seen) + "\n")


def crashed(flow, flow_run, state):
    write(flow_run.parameters["out"], "hook", state=[state.type.value, state.name], program=None)


@flow(on_crashed=[crashed])
def tell(out: str, then: str = "return"):
    write(out, "flow")
    if then == "raise":
        raise ValueError("on purpose")
    if then == "exit":
        os._exit(9)
    if then == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
