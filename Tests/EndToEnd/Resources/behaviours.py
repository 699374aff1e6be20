"""Flows whose behaviour depends on the process that they run in."""

import asyncio
import atexit
import json
import os
import signal
import subprocess
import sys
import threading
import time

from prefect import flow, get_run_logger, task

PIECES = {}


def note(out, **facts):
    with open(out, "a") as file:
        file.write(json.dumps(facts, sort_keys=True, default=str) + "\n")


def hook(flow, flow_run, state):
    note(flow_run.parameters["out"], hook=state.name)


@task
def double(number):
    get_run_logger().info("doubling %s", number)
    return 2 * number


@flow(log_prints=True)
def completes(out):
    print("a printed line")
    get_run_logger().warning("a logged line")
    note(out, result=double(4))
    return 1


@flow
def fails(out):
    raise ValueError("as asked")


@flow(on_crashed=[hook], on_failure=[hook])
def exits(out):
    sys.exit(7)


@flow(on_crashed=[hook])
def ends_at_once(out):
    note(out, begun=True)
    os._exit(7)


@flow(on_crashed=[hook])
def is_killed(out):
    note(out, begun=True)
    os.kill(os.getpid(), signal.SIGKILL)


@flow(on_crashed=[hook])
def faults(out):
    note(out, begun=True)
    os.kill(os.getpid(), signal.SIGSEGV)


@flow(on_crashed=[hook])
def is_terminated(out):
    note(out, begun=True)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(30)


@flow
def child(out, number):
    note(out, child=number)
    return number


@flow
def parent(out):
    note(out, children=[child(out, number) for number in range(2)])


@flow
def uses_threads(out):
    futures = double.map([1, 2, 3])
    note(out, results=[future.result() for future in futures])


@flow
async def is_asynchronous(out):
    await asyncio.sleep(0.01)
    note(out, loop=type(asyncio.get_running_loop()).__name__)


attempts = []


@flow(retries=1, retry_delay_seconds=0)
def retries(out):
    attempts.append(1)
    note(out, attempt=len(attempts))
    if len(attempts) == 1:
        raise RuntimeError("the first attempt")


@flow(timeout_seconds=0.5)
def takes_too_long(out):
    time.sleep(5)


@flow(persist_result=True)
def keeps_its_result(out):
    return {"kept": True}


def from_a_process(queue):
    queue.put([os.getcwd() == os.environ["PWD_OF_PARENT"], __name__, sys.argv[1:], "SECRET_OF_RUN" in os.environ])


@flow
def starts_processes(out):
    import multiprocessing

    os.environ["PWD_OF_PARENT"] = os.getcwd()
    for method in ("fork", "spawn", "forkserver"):
        context = multiprocessing.get_context(method)
        queue = context.Queue()
        process = context.Process(target=from_a_process, args=(queue,))
        process.start()
        answer = queue.get(timeout=60)
        process.join()
        note(out, method=method, answer=answer, code=process.exitcode)
    lines = subprocess.run(
        ["sh", "-c", "echo $SECRET_OF_RUN; ls /proc/self/fd | wc -l"], capture_output=True, text=True, check=True
    ).stdout.split()
    note(out, lines=lines, same=subprocess.check_output(["pwd"], text=True).strip() == os.getcwd())


@flow
def leaves_work(out):
    atexit.register(note, out, at_exit=True)
    threading.Thread(target=lambda: (time.sleep(0.3), note(out, thread="joined"))).start()
    threading.Thread(target=lambda: (time.sleep(60), note(out, thread="not joined")), daemon=True).start()
    sys.stdout.write("without a line end")
    os.write(2, b"a raw line\n")


@flow
def knows_its_run(out):
    from prefect import runtime
    from prefect.context import get_run_context

    context = get_run_context()
    note(
        out,
        parameters=sorted(runtime.flow_run.parameters),
        name=runtime.flow_run.flow_name,
        count=runtime.flow_run.run_count,
        tags=runtime.flow_run.tags,
        same=str(context.flow_run.id) == os.environ["PREFECT__FLOW_RUN_ID"] == runtime.flow_run.id,
    )


@flow
def uses_the_api(out):
    from prefect.artifacts import create_markdown_artifact
    from prefect.variables import Variable

    Variable.set("behaviours_variable", "set", overwrite=True)
    note(out, variable=Variable.get("behaviours_variable"), artifact=bool(create_markdown_artifact("# text")))


@flow
def takes_a_moment(out):
    from prefect.runtime import flow_run

    note(out, run=flow_run.id)
    time.sleep(0.5)


@flow
def spoils_its_process(out):
    """A copy that is made later must find none of this."""
    import logging

    import httpx
    import prefect

    note(
        out,
        found=[
            hasattr(httpx, "spoiled"),
            hasattr(prefect, "spoiled"),
            "SPOILED" in os.environ,
            "spoiled" in sys.modules,
            len(logging.getLogger("spoiled").handlers),
            "/spoiled" in sys.path,
        ],
    )
    httpx.spoiled = prefect.spoiled = True
    httpx.Client.get = None
    os.environ["SPOILED"] = "1"
    sys.modules["spoiled"] = sys
    logging.getLogger("spoiled").addHandler(logging.NullHandler())
    sys.path.append("/spoiled")


@flow
def attributes(out):
    import gc
    import locale
    import logging
    import resource

    main = sys.modules["__main__"]
    with open("/proc/self/status") as file:
        status = dict(line.rstrip("\n").split(":", 1) for line in file)
    with open("/proc/self/cmdline", "rb") as file:
        words = file.read().split(b"\0")
    with open("/proc/self/environ", "rb") as file:
        names = {entry.partition(b"=")[0].decode() for entry in file.read().split(b"\0") if entry}
    note(
        out,
        main=[main.__name__, main.__spec__.name, main.__package__, os.path.basename(main.__file__)],
        main_names=sorted(name for name in vars(main) if name != "__warningregistry__"),
        argv=[os.path.basename(word) for word in sys.argv],
        words=[os.path.basename(word).decode() for word in words],
        orig=len(getattr(sys, "orig_argv", [])),
        path=[entry.replace(os.getcwd(), "<cwd>") for entry in sys.path if "prefect-run-" not in entry],
        meta_path=[getattr(finder, "__name__", type(finder).__name__) for finder in sys.meta_path],
        hooks=[str(hook)[:40].split(" at ")[0] for hook in sys.path_hooks],
        flags=str(sys.flags),
        names=sorted(names),
        leader=os.getpid() == os.getpgrp() == os.getsid(0),
        streams=[sys.stdin.fileno(), sys.stdout.line_buffering, sys.stderr.line_buffering, sys.stdout.encoding],
        targets=[os.readlink("/proc/self/fd/%d" % number).startswith("/dev/null") for number in range(3)],
        umask=os.umask(0o22),
        limits=[resource.getrlimit(kind) for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE)],
        nice=os.nice(0),
        masks=[status[key].strip() for key in ("SigBlk", "SigIgn", "SigCgt", "CapEff", "NoNewPrivs", "Seccomp")],
        name=status["Name"].strip(),
        signals=[str(signal.getsignal(number)).split(" at ")[0] for number in (1, 2, 10, 12, 13, 15, 17)],
        main_thread=threading.main_thread().native_id == os.getpid(),
        locale=[locale.getlocale(), locale.setlocale(locale.LC_CTYPE), time.tzname],
        collector=[gc.isenabled(), gc.get_threshold()],
        root=[logging.getLogger().level, len(logging.getLogger().handlers), logging.raiseExceptions],
        hash=sys.hash_info.algorithm,
        recursion=sys.getrecursionlimit(),
        tracing=[sys.gettrace() is None, sys.getprofile() is None, sys.excepthook is sys.__excepthook__],
    )
