/// The Python program of a ``Zygote``. It imports Prefect's flow engine once. Then it makes a copy of itself for each
/// run, with the environment, the files and the working directory of that run.
///
/// The copy is a child of the worker, like a process that the worker starts itself, because it is made with
/// `CLONE_PARENT`. It shares the pages of the imported modules with the zygote until either of them writes to one.
enum ZygoteProgram {
    /// The argument of `python -c`. It reads ``source`` from the descriptor 3, so that no file has to hold it. It runs the
    /// code of a run at the top level, as the interpreter itself would do.
    static let start = #"""
        import ctypes, os
        # The kernel ends this process with the worker's thread that started it, also during the imports. Copies are not
        # affected.
        ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)
        def read(count):
            data = b""
            while len(data) < count:
                part = os.read(3, count - len(data))
                if not part:
                    os._exit(0)
                data += part
            return data
        names = {"__name__": "prefect_worker_zygote"}
        exec(compile(read(int.from_bytes(read(4), "big")), "<prefect-worker>", "exec"), names)
        code, names = names["serve"]()
        exec(code, names)
        """#

    /// The program's text. Messages have four bytes for the length, and then JSON.
    ///
    ///     → {directory, arguments, executable, mark}   with descriptors: standard output, standard error, environment
    ///     ← {reads, scan, unfit}                       once, after the imports
    ///     ← {pid}                                      the run has begun: its mark exists
    ///     ← {failed: pid}                              the copy ended before it made the mark
    ///     ← {cold: reason, detail}                     there is no copy
    static let source = #"""
        import array
        import ctypes
        import gc
        import importlib
        import importlib.machinery
        import importlib.util
        import json
        import os
        import signal
        import socket
        import struct
        import sys
        import time
        import types

        # Modules that a run imports in any case, before or after its flow begins.
        NEEDED = (
            "prefect",
            "prefect.main",
            "prefect.engine",
            "prefect.flow_engine",
        )
        # Modules of the same kind that some versions of Prefect lack.
        LIKELY = (
            "prefect._internal.metrics",
            "prefect._internal.control_listener",
            "prefect.runner._workspace_resolver",
            "prefect.runner._workspace_starter",
            "prefect.deployments.steps",
            "prefect.deployments.steps.pull",
            "prefect.deployments.steps.utility",
            "prefect.bundles",
            "prefect.runner.runner",
            "prefect.runner.storage",
            "prefect.filesystems",
            "prefect._internal.integrations",
            "prefect._internal.observers",
            "prefect._internal.infrastructure_exit_codes",
            "prefect.locking._filelock",
            "anyio._backends._asyncio",
            "encodings.idna",
            "logging",
            "multiprocessing.process",
            "packaging.requirements",
            "pydantic.v1",
            "rich._emoji_codes",
            "runpy",
            "shlex",
            "site",
            "stringprep",
            "sysconfig",
            "tempfile",
            "threading",
        )
        # These read all variables and keep only those of names that always count.
        HARMLESS_SCANS = ("pydantic_settings", "prefect.settings", "fsspec", "wsgiref")
        # Files in the working directory that Prefect reads its settings from.
        SETTINGS_FILES = (".env", "prefect.toml")
        SOCKET = 3


        class ReadVariables:
            """Notes the environment variables that the imports read."""

            def __enter__(self):
                self.names = set()
                self.scan = None
                self.cls = cls = type(os.environ)
                self.original = original = cls.__getitem__
                self.iterate = iterate = cls.__iter__

                def reader(frame):
                    inner = False
                    while frame is not None:
                        module = frame.f_globals.get("__name__", "")
                        if module not in ("os", "collections.abc", "_collections_abc", "collections"):
                            return module, inner
                        inner = inner or frame.f_code.co_name == "__iter__"
                        frame = frame.f_back
                    return "", inner

                def getitem(environ, name):
                    module, is_scan = reader(sys._getframe(1))
                    if not is_scan and not module.startswith("fsspec"):
                        self.names.add(name)
                    return original(environ, name)

                def iterate_all(environ):
                    module, _ = reader(sys._getframe(1))
                    if not module.startswith(HARMLESS_SCANS):
                        self.scan = module or "unknown"
                    return iterate(environ)

                cls.__getitem__ = getitem
                cls.__iter__ = iterate_all
                return self

            def __exit__(self, *_):
                self.cls.__getitem__ = self.original
                self.cls.__iter__ = self.iterate


        def identity(path):
            """What distinguishes a file from a later version of it."""
            try:
                status = os.stat(path)
            except OSError:
                return None
            return status.st_mtime_ns, status.st_size, status.st_ino


        class Zygote:
            def __init__(self):
                if sys.path and sys.path[0] == "":
                    del sys.path[0]
                with open("/proc/self/environ", "rb") as file:
                    given = {entry.partition(b"=")[0] for entry in file.read().split(b"\0")}
                # The interpreter sets LC_CTYPE under some locales. A run's own interpreter would do so as well.
                self.added = {name: value for name, value in os.environ.items() if os.fsencode(name) not in given}
                self.import_engine()
                self.modules = {}
                for name, module in list(sys.modules.items()):
                    if "." not in name and name != "__main__":
                        self.modules[name] = getattr(module, "__file__", None)
                self.files = {path: identity(path) for path in self.imported_files()}
                self.libc = ctypes.PyDLL(None, use_errno=True)
                self.tid_address = ctypes.c_void_p(0)
                self.unfit = self.unfitness()
                gc.collect()
                gc.freeze()

            # Imports

            def import_engine(self):
                """Imports the engine. Every run prints first what the imports print, as its own interpreter would do."""
                kept = os.memfd_create("printed", os.MFD_CLOEXEC)
                errors = os.dup(2)
                sys.stderr.flush()
                os.dup2(kept, 2)
                try:
                    with ReadVariables() as self.read:
                        for name in NEEDED:
                            importlib.import_module(name)
                        for name in LIKELY:
                            try:
                                importlib.import_module(name)
                            except ImportError:
                                pass
                except BaseException:
                    sys.stderr.flush()
                    os.dup2(errors, 2)
                    os.write(2, os.pread(kept, 1 << 16, 0))
                    raise
                sys.stdout.flush()
                sys.stderr.flush()
                os.dup2(errors, 2)
                os.close(errors)
                self.printed = os.pread(kept, 1 << 20, 0)
                os.close(kept)

            def imported_files(self):
                """Every file whose change would change the imports or the settings."""
                files = {sys.executable, os.path.join(sys.prefix, "pyvenv.cfg")}
                files.update(path for path in sys.path if path)
                for module in list(sys.modules.values()):
                    files.add(getattr(module, "__file__", None))
                from prefect.settings import get_current_settings

                settings = get_current_settings()
                files.add(str(settings.profiles_path))
                files.add(str(settings.logging.config_path or ""))
                files.discard(None)
                files.discard("")
                return files

            def unfitness(self):
                """Why no run can be a copy of this process; `None` if one can."""
                if len(os.listdir("/proc/self/task")) != 1:
                    return "the imports started a thread"
                for name in os.listdir("/proc/self/fd"):
                    try:
                        if int(name) > SOCKET:
                            return "the imports opened " + os.readlink("/proc/self/fd/" + name)
                    except OSError:
                        continue  # The descriptor of the listing.
                for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM):
                    if signal.getsignal(number) != signal.SIG_DFL:
                        return "the imports set a signal handler"
                if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
                    return "the imports set a signal handler"
                with open("/proc/self/task/%d/children" % os.getpid()) as file:
                    if file.read().strip():
                        return "the imports started a process"
                from prefect.settings import get_current_settings

                if getattr(getattr(get_current_settings(), "plugins", None), "enabled", False):
                    return "plugins are enabled"
                for name in ("HOME", "PROFILES_PATH", "LOGGING_SETTINGS_PATH", "LOGGING_CONFIG_PATH"):
                    if os.environ.get("PREFECT_" + name, "/")[:1] not in ("/", "~"):
                        return "PREFECT_%s is a relative path" % name
                # A clone skips the handlers that C libraries have for a fork.
                with open("/proc/self/maps") as file:
                    mapped = {line.split(None, 5)[5].strip() for line in file if ".so" in line}
                names = {path: os.path.basename(path) for path in mapped if path.startswith("/")}
                if not any(name.startswith(("libc.so.6", "libc-2")) for name in names.values()):
                    return "the C library is not glibc"
                for path, name in names.items():
                    if not name.startswith(("libc.", "libc-", "ld-")):
                        with open(path, "rb") as file:
                            if b"__register_atfork" in file.read():
                                return "%s has a handler for forks" % name
                # The C library keeps its own copy of the thread's id, which the kernel must renew.
                if self.libc.prctl(40, ctypes.byref(self.tid_address), 0, 0, 0) != 0 or not self.tid_address.value:
                    return "the kernel does not give the address of the thread's id"
                if os.uname().machine not in ("x86_64", "aarch64"):
                    return "the processor is not supported"
                return None

            # Requests

            def reason_for_cold(self, directory):
                """A word for why a new interpreter would behave differently, and the detail; `None` if it would not."""
                if len(os.listdir("/proc/self/task")) != 1:
                    return "threads", ""
                for path, known in self.files.items():
                    if identity(path) != known:
                        return "stale", path
                try:
                    entries = list(os.scandir(directory))
                except OSError as error:
                    return "directory", str(error)
                for entry in entries:
                    if entry.name in SETTINGS_FILES or (entry.name == "pyproject.toml" and self.has_settings(entry.path)):
                        return "settings", entry.name
                    name, _, ending = entry.name.partition(".")
                    if name not in self.modules or getattr(sys.flags, "safe_path", False):
                        continue
                    is_package = not ending and any(
                        os.path.exists(os.path.join(entry.path, "__init__" + suffix))
                        for suffix in importlib.machinery.all_suffixes()
                    )
                    if is_package or ("." + ending).endswith(tuple(importlib.machinery.all_suffixes())):
                        return "module", entry.name
                return None

            def has_settings(self, path):
                try:
                    import tomllib

                    with open(path, "rb") as file:
                        return "prefect" in tomllib.load(file).get("tool", {})
                except Exception:
                    return True

            def clone(self):
                """Forks. The parent of the new process is this process's own parent, which can wait for it."""
                parent, set_tid, clear_tid = 0x8000, 0x1000000, 0x200000
                flags = parent | set_tid | clear_tid
                address = self.tid_address.value
                request = ctypes.create_string_buffer(struct.pack("8Q", flags, 0, address, 0, 0, 0, 0, 0), 64)
                api, number = ctypes.pythonapi, ctypes.c_long
                self.libc.syscall.restype = number
                api.PyOS_BeforeFork()
                pid = self.libc.syscall(number(435), request, number(64))
                if pid == -1 and ctypes.get_errno() in (1, 22, 38):
                    # A filter of system calls may refuse clone3.
                    nothing, tid, flags = ctypes.c_void_p(0), ctypes.c_void_p(address), number(flags | signal.SIGCHLD)
                    if os.uname().machine == "x86_64":
                        pid = self.libc.syscall(number(56), flags, nothing, nothing, tid, nothing)
                    else:
                        pid = self.libc.syscall(number(220), flags, nothing, nothing, nothing, tid)
                if pid == 0:
                    api.PyOS_AfterFork_Child()
                    return 0
                error = ctypes.get_errno()
                api.PyOS_AfterFork_Parent()
                if pid < 0:
                    raise OSError(error, os.strerror(error))
                return pid

            def serve(self):
                """Returns the code and the names of a run, in the process of that run. Ends this process with the worker."""
                send({"reads": sorted(self.read.names), "scan": self.read.scan, "unfit": self.unfit})
                while True:
                    request, descriptors = receive()
                    if request is None:
                        os._exit(0)
                    try:
                        answer = self.answer(request, descriptors)
                    finally:
                        for descriptor in descriptors:
                            os.close(descriptor)
                    if isinstance(answer, tuple):
                        return answer
                    send(answer)

            def answer(self, request, descriptors):
                cold = self.reason_for_cold(request["directory"])
                if cold is not None:
                    return {"cold": cold[0], "detail": cold[1]}
                ready, done = os.pipe()
                try:
                    pid = self.clone()
                except OSError as error:
                    os.close(ready)
                    os.close(done)
                    return {"cold": "clone", "detail": str(error)}
                if pid == 0:
                    try:
                        return self.become_run(request, descriptors, done)
                    except BaseException:
                        os._exit(125)
                os.close(done)
                started = os.read(ready, 1) == b"1"
                os.close(ready)
                return {"pid": pid} if started else {"failed": pid}

            # In the process of the run

            def become_run(self, request, descriptors, done):
                os.setsid()
                null = os.open("/dev/null", os.O_RDONLY)
                # Moved out of the way first, so that no descriptor is overwritten before it is used.
                moved = [os.dup(descriptor) for descriptor in (null, *descriptors, done)]
                while min(moved) < 8:
                    moved = [os.dup(descriptor) for descriptor in moved]
                for target, descriptor in enumerate(moved):
                    os.dup2(descriptor, target, inheritable=target < 3)
                for name in os.listdir("/proc/self/fd"):
                    if int(name) > 4:
                        try:
                            os.close(int(name))
                        except OSError:
                            pass
                descriptors.clear()
                os.chdir(request["directory"])
                block = os.pread(3, os.fstat(3).st_size, 0)
                os.close(3)
                os.environ.clear()
                os.environ.update(self.added)
                for entry in block.split(b"\0"):
                    name, equals, value = entry.partition(b"=")
                    if equals:
                        os.environ[os.fsdecode(name)] = os.fsdecode(value)
                words = request["arguments"]
                self.show(b"".join(os.fsencode(word) + b"\0" for word in words), block)
                # Only now, so that a worker that sees the mark finds the process by its environment.
                os.close(os.open(request["mark"], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
                try:
                    os.write(4, b"1")
                    os.close(4)
                except OSError:
                    pass  # The zygote has ended. From the mark on, nothing prevents the run.
                try:
                    if self.printed:
                        os.write(2, self.printed)
                    return self.engine(words)
                except BaseException:
                    os.execve(request["executable"], words, dict(os.environ))

            def engine(self, words):
                """Gives this process the state of an interpreter that has just been started with these words."""
                import logging
                import multiprocessing.process
                import tempfile
                import threading

                time.tzset()
                program = words[1]
                sys.argv[:] = words[1:]
                if hasattr(sys, "orig_argv"):
                    sys.orig_argv[:] = words
                if not getattr(sys.flags, "safe_path", False):
                    sys.path.insert(0, os.path.dirname(program))
                main = types.ModuleType("__main__")
                main.__builtins__ = sys.modules["builtins"]
                main.__loader__ = importlib.machinery.SourceFileLoader("__main__", program)
                main.__file__ = program
                main.__cached__ = None
                sys.modules["__main__"] = main
                tempfile.tempdir = None
                multiprocessing.process.ORIGINAL_DIR = os.getcwd()
                multiprocessing.process.current_process()._config["authkey"] = multiprocessing.process.AuthenticationString(
                    os.urandom(32)
                )
                if hasattr(threading.Thread, "_set_native_id"):
                    threading.main_thread()._set_native_id()
                start = getattr(logging, "_startTime", None)
                if start is not None:
                    logging._startTime = time.time_ns() if isinstance(start, int) else time.time()
                with open(program, "rb") as file:
                    return compile(file.read(), program, "exec"), main.__dict__

            def show(self, words, block):
                """Makes /proc show the command line and the environment of the run."""
                with open("/proc/self/stat") as file:
                    fields = file.read().rpartition(")")[2].split()

                def field(number):
                    return int(fields[number - 3])

                libc = self.libc
                text = words + block + b"\0"
                # Never freed: the kernel reads it.
                libc.malloc.restype = libc.sbrk.restype = ctypes.c_void_p
                start = libc.malloc(ctypes.c_size_t(len(text)))
                ctypes.memmove(start, text, len(text))
                end = start + len(words)
                layout = struct.pack(
                    "11QQIi",
                    field(26), field(27), field(45), field(46), field(47), libc.sbrk(0), field(28),
                    start, end, end, end + len(block),
                    0, 0, -1,
                )
                buffer = ctypes.create_string_buffer(layout, len(layout))
                if libc.prctl(35, ctypes.c_long(14), buffer, ctypes.c_long(len(layout)), ctypes.c_long(0)) != 0:
                    # An older kernel needs a privilege for this. The strings of the start are overwritten instead; the run's
                    # marks are the first of the block.
                    first, last = field(50), field(51)
                    ctypes.memset(first, 0, last - first)
                    ctypes.memmove(first, block, min(len(block), last - first))


        def send(message):
            data = json.dumps(message).encode()
            data = struct.pack(">I", len(data)) + data
            while data:
                data = data[os.write(SOCKET, data):]


        def receive():
            """The next request and its descriptors; `None` when the worker has ended or has closed the connection."""
            connection = receive.socket
            head, ancillary, _, _ = connection.recvmsg(4, socket.CMSG_SPACE(3 * 4), socket.MSG_CMSG_CLOEXEC)
            descriptors = array.array("i")
            for level, kind, data in ancillary:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
            while 0 < len(head) < 4:
                part = connection.recv(4 - len(head))
                if not part:
                    return None, []
                head += part
            if not head:
                return None, []
            length, = struct.unpack(">I", head)
            body = b""
            while len(body) < length:
                part = connection.recv(length - len(body))
                if not part:
                    return None, []
                body += part
            return json.loads(body), list(descriptors)


        def serve():
            receive.socket = socket.socket(fileno=SOCKET)
            return Zygote().serve()
        """#
}
