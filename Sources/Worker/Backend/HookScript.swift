/// The Python program that runs a flow's own hooks when the flow's process could not: it knows only what Prefect 3
/// publishes, so that it works with every version that a flow may bring.
package enum HookScript {
    /// How long all hooks of a kind may take together.
    package static let timeLimit = Duration.seconds(60)

    /// The Python for the hooks of a job: the one that its command begins with, since that is where the flow's packages
    /// are, or else the backend's own. `nil`, which the run's log tells of, when its hooks cannot be run.
    package static func interpreter<Configuration>(
        for kind: FlowHook, of job: Job<Configuration>, words: [String], otherwise own: String?
    ) -> String? {
        // Without a deployment nobody knows where the flow's code is.
        guard job.deploymentID != nil else {
            job.reporter.log(.debug, "The flow run has no deployment, so its on_\(kind.rawValue) hooks cannot be run")
            return nil
        }
        if let word = words.first, let name = word.split(separator: "/").last, name.hasPrefix("python"),
            name.dropFirst("python".count).allSatisfy({ $0.isNumber || $0 == "." })
        {
            return word
        }
        if own == nil {
            job.reporter.log(
                .info, "The worker has no Python interpreter, so the flow's on_\(kind.rawValue) hooks are not run")
        }
        return own
    }

    /// Arguments: the kind of hook (`cancellation` or `crashed`) and a file with the state as JSON.
    package static let source = #"""
        import asyncio
        import inspect
        import json
        import logging
        import os
        import sys
        from uuid import UUID


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


        async def main(kind, state_file):
            from prefect.client.orchestration import get_client
            from prefect.client.schemas.objects import State
            from prefect.flows import load_flow_from_flow_run
            from prefect.logging.loggers import flow_run_logger

            with open(state_file, encoding="utf-8") as file:
                state = State.model_validate(json.load(file))
            async with get_client() as client:
                flow_run = await client.read_flow_run(UUID(os.environ["PREFECT__FLOW_RUN_ID"]))
            if flow_run.deployment_id is None:
                return 0
            flow_run.state = state
            flow_run.state_type = state.type
            flow_run.state_name = state.name
            logger = flow_run_logger(flow_run)

            # That the code is fetched once more is of interest only when it fails.
            shared = logging.getLogger("prefect.flow_runs")
            level = shared.level
            shared.setLevel(logging.WARNING)
            try:
                flow = await load_flow_from_flow_run(flow_run, use_placeholder_flow=False)
            except Exception:
                logger.error("The flow could not be loaded to run its on_%s hooks", kind, exc_info=True)
                return 1
            finally:
                shared.setLevel(level)

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
            # Python puts the folder of this file first, where the flow expects the one it is run in.
            if sys.path and sys.path[0] == os.path.dirname(os.path.abspath(__file__)):
                sys.path[0] = os.getcwd()
            sys.exit(asyncio.run(main(*sys.argv[1:])))

        """#
}
