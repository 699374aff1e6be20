/// The Python program that runs a flow's own hooks when the flow's process could not. It uses only the published
/// interfaces of Prefect 3, so that it works with every version that a flow may use.
package enum HookScript {
    /// The time limit for all hooks of a kind together.
    package static let timeLimit = Duration.seconds(60)

    /// The Python interpreter for the hooks of a job. It is the one that the job's command begins with, where the
    /// flow's packages are, or else the backend's own. `nil` when the hooks cannot be run; the run's log states the
    /// reason.
    package static func interpreter(
        for kind: FlowHook, of run: RunContext, words: [String], otherwise own: String?
    ) -> String? {
        // Without a deployment, the location of the flow's code is unknown.
        guard run.deploymentID != nil else {
            run.reporter.log(.debug, "The flow run has no deployment, so its on_\(kind.rawValue) hooks cannot be run")
            return nil
        }
        if let word = words.first, let name = word.split(separator: "/").last, name.hasPrefix("python"),
            name.dropFirst("python".count).allSatisfy({ $0.isNumber || $0 == "." })
        {
            return word
        }
        if own == nil {
            run.reporter.log(
                .info, "The worker has no Python interpreter, so the flow's on_\(kind.rawValue) hooks are not run")
        }
        return own
    }

    /// Logs for the run that its hooks cannot be run because its workspace was never ready.
    package static func reportMissingWorkspace(_ kind: FlowHook, for run: RunContext) {
        run.reporter.log(
            .info,
            "The flow run ended before its code was ready, so its on_\(kind.rawValue) hooks cannot be run")
    }

    /// The exit status of the program when it cannot load a flow because the run ended before its workspace was ready.
    package static let noWorkspace = 4

    /// The program's text. Its arguments are the kind of hook (`cancellation` or `crashed`) and a file with the state
    /// as JSON. Where the run resolved its own workspace, the manifest of that workspace follows, see ``EngineScript``.
    ///
    /// With a manifest, the program loads the flow from the workspace of the run, in its environment. Without one, it
    /// fetches the code for the hooks.
    package static let source = #"""
        import asyncio
        import inspect
        import json
        import logging
        import os
        import stat
        import sys
        from uuid import UUID

        NO_WORKSPACE = \#(noWorkspace)
        MOST_BYTES = 64 << 20
        HERE = os.path.dirname(os.path.abspath(__file__))


        def read(path):
            """A file beside this one, in whose place the flow run may have put anything."""
            file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(file, "rb") as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode) or status.st_size > MOST_BYTES:
                    raise OSError(f"{path} is not the file that was written there")
                return json.loads(file.read(MOST_BYTES))


        def read_manifest(path):
            """The manifest of the workspace; `None` when the engine fetches the code itself."""
            try:
                manifest = read(path)
            except OSError:
                sys.exit(NO_WORKSPACE)
            return manifest if manifest["entrypoint"] else None


        def enter(manifest):
            """Continues in the run's directory, environment and Python project."""
            environment = manifest["environment"]
            for name, value in os.environ.items():
                if name.startswith("PREFECT__WORKER_"):
                    environment[name] = value
            environment["PREFECT__WORKER_WORKSPACE"] = "1"
            words = [*(manifest["command"] or [sys.executable]), os.path.abspath(__file__), *sys.argv[1:]]
            os.chdir(manifest["directory"])
            os.execvpe(words[0], words, environment)


        def describe(hook):
            while hasattr(hook, "func"):
                hook = hook.func
            return getattr(hook, "__name__", type(hook).__name__)


        async def call(hook, *arguments):
            if inspect.iscoroutinefunction(hook):
                return await hook(*arguments)
            # A plain function may start an event loop of its own, which only works outside of this one.
            result = await asyncio.to_thread(hook, *arguments)
            if inspect.isawaitable(result):
                await result


        def load_from(manifest):
            from prefect.exceptions import MissingFlowError
            from prefect.flows import load_flow_from_entrypoint, load_function_and_convert_to_flow

            entrypoint = manifest["entrypoint"]
            path, colon, name = entrypoint.rpartition(":")
            if colon and path.endswith(".py"):
                entrypoint = os.path.join(manifest["directory"], os.path.expanduser(path)) + ":" + name
            try:
                return load_flow_from_entrypoint(entrypoint, use_placeholder_flow=False)
            except MissingFlowError:
                return load_function_and_convert_to_flow(entrypoint)


        async def load(flow_run, manifest):
            from prefect.flows import load_flow_from_flow_run

            if manifest is not None:
                return await asyncio.to_thread(load_from, manifest)
            # A log line about fetching the code is of interest only when that fails.
            shared = logging.getLogger("prefect.flow_runs")
            level = shared.level
            shared.setLevel(logging.WARNING)
            try:
                return await load_flow_from_flow_run(flow_run, use_placeholder_flow=False)
            finally:
                shared.setLevel(level)


        async def main(kind, state_file, manifest):
            from prefect.client.orchestration import get_client
            from prefect.client.schemas.objects import State
            from prefect.logging.loggers import flow_run_logger

            state = State.model_validate(read(state_file))
            async with get_client() as client:
                flow_run = await client.read_flow_run(UUID(os.environ["PREFECT__FLOW_RUN_ID"]))
            if flow_run.deployment_id is None:
                return 0
            flow_run.state = state
            flow_run.state_type = state.type
            flow_run.state_name = state.name
            logger = flow_run_logger(flow_run)

            try:
                flow = await load(flow_run, manifest)
            except Exception:
                logger.error("The flow could not be loaded to run its on_%s hooks", kind, exc_info=True)
                return 1

            hooks = getattr(flow, f"on_{kind}_hooks", None) or []
            logger = flow_run_logger(flow_run, flow)
            for hook in hooks:
                name = describe(hook)
                logger.info("Running hook '%s' for the state '%s'", name, state.name)
                try:
                    await call(hook, flow, flow_run, state)
                except (Exception, SystemExit):
                    logger.error("Hook '%s' failed", name, exc_info=True)
                else:
                    logger.info("Hook '%s' has finished", name)
            return 0


        if __name__ == "__main__":
            kind, state_file, *rest = sys.argv[1:]
            manifest = read_manifest(rest[0]) if rest else None
            if manifest is not None and "PREFECT__WORKER_WORKSPACE" not in os.environ:
                enter(manifest)
            # Python puts the directory of this file first, where the flow expects the one it runs in. With a manifest
            # that is in PYTHONPATH already.
            if sys.path and os.path.abspath(sys.path[0]) == HERE:
                sys.path[:1] = [os.getcwd()] if manifest is None or not os.environ.get("PYTHONPATH") else []
            sys.exit(asyncio.run(main(kind, state_file, manifest)))

        """#
}
