/// The Python program that prepares the workspace of a flow run and then becomes Prefect's flow engine.
///
/// Prefect's own worker needs two interpreters for this: one resolves the workspace and replaces itself by the engine.
/// This program does both in one interpreter, unless the pull steps changed the state that a new one would start with.
package enum EngineScript {
    /// The name of the program's file, in a private directory of the run.
    package static let fileName = "engine.py"
    /// The manifest of the workspace: directory, entrypoint, environment. The program writes it next to its own file.
    package static let manifestName = "workspace.json"
    /// Arguments for the program, which ignores them. They let operators find engines in a list of processes.
    package static let arguments = ["-m", "prefect.engine"]

    /// The program's text. It runs in the directory that is the root of the workspace.
    package static let source = #"""
        import os
        import sys

        HERE = os.path.dirname(os.path.abspath(__file__))
        # `python -m` puts the current directory first; Prefect's worker starts the engine that way.
        HAS_CURRENT_DIRECTORY = bool(sys.path) and os.path.abspath(sys.path[0]) == HERE
        if HAS_CURRENT_DIRECTORY:
            sys.path[0] = os.getcwd()
        SEARCH_PATH = list(sys.path)

        # Pull steps cannot change these: they belong to the worker.
        OWNED = {
            "PATH",
            "PREFECT_RUNNER_AUTO_INSTALL_DEPENDENCIES",
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY",
            "PREFECT__FLOW_ID",
            "PREFECT__FLOW_NAME",
            "PREFECT__FLOW_RUN_ID",
            "PREFECT__DEPLOYMENT_ID",
            "PREFECT__DEPLOYMENT_NAME",
            "PREFECT__ENABLE_CANCELLATION_AND_CRASHED_HOOKS",
        }
        OWNED_PREFIXES = ("PREFECT_API_", "PREFECT__CONTROL_", "PREFECT__WORKER_")
        BOOTSTRAP = "_workspace_runtime_bootstrap.py"


        def owned(name):
            return name in OWNED or name.startswith(OWNED_PREFIXES)


        def write_manifest(directory, entrypoint, command=None, environment=None):
            import json

            path = os.path.join(HERE, "\#(manifestName)")
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            with os.fdopen(os.open(path + ".new", flags, 0o600), "w", encoding="utf-8") as file:
                manifest = {
                    "directory": str(directory),
                    "entrypoint": entrypoint,
                    "command": command,
                    "environment": environment,
                }
                json.dump(manifest, file)
            os.replace(path + ".new", path)


        def become_engine():
            import runpy

            # Flow code sees the namespace that `python -m prefect.engine` would have.
            sys.modules.pop("prefect.engine", None)
            sys.argv = sys.argv[:1]
            run = getattr(runpy, "_run_module_as_main", None)
            main = sys.modules["__main__"].__dict__
            kept = {"__name__", "__doc__", "__package__", "__loader__", "__spec__", "__builtins__", "__file__"}
            for name in set(main) - kept:
                del main[name]
            if run is None:
                runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)
            else:
                run("prefect.engine")


        class Interpreter:
            """The state that a new interpreter would start with, as far as pull steps can change it."""

            def __init__(self):
                import signal
                import site
                import sysconfig

                paths = sysconfig.get_paths()
                standard = {paths[name] for name in ("stdlib", "platstdlib") if paths.get(name)}
                packages = {paths[name] for name in ("purelib", "platlib") if paths.get(name)}
                packages.update(getattr(site, "getsitepackages", list)())
                user = getattr(site, "getusersitepackages", str)()
                if user:
                    packages.add(user)
                self.packages = {os.path.realpath(path) for path in packages}
                self.places = tuple(
                    {os.path.join(path, "") for path in self.packages}
                    | {os.path.join(os.path.realpath(path), "") for path in standard}
                )
                self.installed = self.installation()
                self.environment = dict(os.environ)
                self.modules = set(sys.modules)
                self.handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}

            def installation(self):
                times = {}
                for path in self.packages:
                    try:
                        times[path] = os.stat(path).st_mtime_ns
                    except OSError:
                        times[path] = None
                return times

            def environment_has_changed(self):
                names = set(self.environment) | set(os.environ)
                return any(self.environment.get(name) != os.environ.get(name) for name in names if not owned(name))

            def brings(self, module):
                """Whether a module is the interpreter's own or an installed package's."""
                file = getattr(module, "__file__", None)
                places = [file] if file else list(getattr(module, "__path__", None) or [])
                return all(os.path.realpath(place).startswith(self.places) for place in places)

            def shadows(self, directories):
                """Whether a directory has a module of the name of one that is loaded from another place."""
                loaded = {name: module for name, module in sys.modules.items() if "." not in name}
                for directory in directories:
                    try:
                        entries = list(os.scandir(directory))
                    except OSError:
                        continue
                    for entry in entries:
                        name, _, ending = entry.name.partition(".")
                        module = loaded.get(name)
                        file = getattr(module, "__file__", None)
                        if not file or name not in self.modules:
                            continue
                        if not ending:
                            is_module = os.path.isfile(os.path.join(entry.path, "__init__.py"))
                        else:
                            is_module = ending.endswith(("py", "pyc", "so"))
                        if is_module and not os.path.realpath(file).startswith(os.path.realpath(entry.path)):
                            return True
                return False

            def restore(self, environment):
                """Gives this interpreter the environment, the search path and the modules of a new one."""
                import importlib
                import signal

                for name in set(os.environ) - set(environment):
                    del os.environ[name]
                os.environ.update(environment)
                inherited = self.environment.get("PYTHONPATH")
                before = {os.path.abspath(entry) for entry in (inherited or "").split(os.pathsep) if entry}
                path = []
                rest = SEARCH_PATH[1:] if HAS_CURRENT_DIRECTORY else SEARCH_PATH
                for entry in environment["PYTHONPATH"].split(os.pathsep) + [
                    entry for entry in rest if entry not in before
                ]:
                    entry = os.path.abspath(entry) if entry else os.getcwd()
                    if entry not in path:
                        path.append(entry)
                sys.path[:] = ([os.getcwd()] if HAS_CURRENT_DIRECTORY else []) + path
                for name, module in list(sys.modules.items()):
                    if name not in self.modules and not self.brings(module):
                        del sys.modules[name]
                sys.path_importer_cache.clear()
                importlib.invalidate_caches()
                for number, handler in self.handlers.items():
                    if handler is not None and signal.getsignal(number) is not handler:
                        signal.signal(number, handler)


        def progress_of(error):
            """The directory and the entrypoint at which a preparation failed."""
            directory, entrypoint = os.getcwd(), None
            trace = error.__traceback__
            while trace is not None:
                names = trace.tb_frame.f_locals
                if trace.tb_frame.f_code.co_name == "prepare_workspace":
                    directory = names.get("working_directory") or directory
                entrypoint = entrypoint or getattr(names.get("deployment"), "entrypoint", None)
                trace = trace.tb_next
            return directory, entrypoint


        def keep_runs_apart():
            """Leaves the directories of runs out of a copy of a directory that holds them, the copy's own target included."""
            try:
                from prefect import filesystems

                original = filesystems.copytree
            except (ImportError, AttributeError):
                return
            own = os.path.realpath(HERE)
            runs, prefix = os.path.dirname(own), os.path.basename(own)[:12]

            def is_run(directory, name):
                path = os.path.join(os.path.realpath(directory), name)
                return os.path.dirname(path) == runs and name.startswith(prefix)

            def copytree(source, target, *arguments, ignore=None, **options):
                def left_out(directory, names):
                    others = {name for name in names if is_run(directory, name)}
                    return others | set(ignore(directory, names) if ignore else ())

                return original(source, target, *arguments, ignore=left_out, **options)

            filesystems.copytree = copytree


        async def prepare(run_id, root, resolve, finish):
            """Resolves the workspace; `None` when that failed."""
            import traceback

            from prefect.logging.handlers import APILogHandler

            try:
                workspace = await resolve(run_id, root)
            except Exception as error:
                traceback.print_exc(file=sys.stderr)
                directory, entrypoint = progress_of(error)
                if entrypoint:
                    write_manifest(directory, entrypoint, None, dict(os.environ))
                await APILogHandler.aflush()
                return None
            except BaseException:
                await APILogHandler.aflush()
                raise
            if finish(workspace):
                await APILogHandler.aflush()
            return workspace


        def main():
            run_id = os.environ.get("PREFECT__FLOW_RUN_ID", "")
            try:
                import anyio
                import shlex

                from prefect.runner._workspace_resolver import prepare_workspace_for_flow_run
                from prefect.runner._workspace_starter import _workspace_command, workspace_environment
            except ImportError:
                # Other versions of Prefect resolve the workspace in the engine.
                os.environ.setdefault("PREFECT__STORAGE_BASE_PATH", HERE)
                write_manifest(os.getcwd(), None)
                return None

            keep_runs_apart()
            interpreter = Interpreter()
            launch = {}

            def finish(workspace):
                """Chooses how the engine starts; whether that is with a new interpreter."""
                environment = workspace_environment(workspace)
                for name in set(environment) | set(interpreter.environment):
                    if owned(name):
                        environment.pop(name, None)
                        if name in interpreter.environment:
                            environment[name] = interpreter.environment[name]
                environment["PREFECT__FLOW_RUN_ID"] = run_id
                environment["PREFECT__ENABLE_CANCELLATION_AND_CRASHED_HOOKS"] = "false"
                command = _workspace_command(workspace, None, environment=environment)
                words = shlex.split(command) if command else None
                environment["PREFECT__FLOW_ENTRYPOINT"] = workspace.runtime_entrypoint
                prefix = None
                for index, word in enumerate(words or []):
                    if os.path.basename(word) == BOOTSTRAP:
                        prefix = words[:index]
                write_manifest(workspace.working_directory, workspace.runtime_entrypoint, prefix, environment)
                launch["environment"] = environment
                added = [entry for entry in environment["PYTHONPATH"].split(os.pathsep) if entry not in SEARCH_PATH]
                if words is None and (
                    interpreter.environment_has_changed()
                    or interpreter.installation() != interpreter.installed
                    or interpreter.shadows(added)
                ):
                    words = [sys.executable, "-m", "prefect.engine"]
                launch["words"] = words
                return words is not None

            if anyio.run(prepare, run_id, os.getcwd(), prepare_workspace_for_flow_run, finish) is None:
                return 1
            sys.stdout.flush()
            sys.stderr.flush()
            if launch["words"] is not None:
                os.execvpe(launch["words"][0], launch["words"], launch["environment"])
            interpreter.restore(launch["environment"])
            return None


        if __name__ == "__main__":
            status = main()
            if status is not None:
                sys.exit(status)
            become_engine()

        """#
}
