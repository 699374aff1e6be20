/// The flows of the tests. They write notes, one line each, into files in the directory that the parameter `notes`
/// names.
enum FlowSource {
    static let text = #"""
        import os
        import signal
        import subprocess
        import sys
        import time

        from prefect import flow, get_run_logger
        from prefect.flow_runs import suspend_flow_run


        def note(notes, name, text):
            with open(os.path.join(notes, name), "a") as file:
                file.write(f"{text}\n")


        def crashed(flow, flow_run, state):
            note(flow_run.parameters["notes"], "crashed-hook", state.name)


        def cancelled(flow, flow_run, state):
            note(flow_run.parameters["notes"], "cancelled-hook", state.name)


        @flow
        def succeed(notes: str, word: str):
            get_run_logger().info("the word is %s", word)
            print(f"printed {word}", flush=True)
            note(notes, "pid", os.getpid())
            return word


        @flow(on_crashed=[crashed])
        def fail(notes: str):
            raise ValueError("on purpose")


        @flow
        def exit_seven(notes: str):
            sys.stderr.write("these are the last words\n")
            sys.stderr.flush()
            os._exit(7)


        @flow(on_crashed=[crashed])
        def kill_itself(notes: str):
            os.kill(os.getpid(), signal.SIGKILL)


        @flow(on_cancellation=[cancelled], on_crashed=[crashed])
        def linger(notes: str):
            stubborn = 'trap "" TERM; echo $$ >>"$0/grandchild"; while :; do sleep 1; done'
            subprocess.Popen(["/bin/sh", "-c", stubborn, notes])
            note(notes, "pid", os.getpid())
            time.sleep(600)


        @flow(on_cancellation=[cancelled])
        def rest(notes: str):
            note(notes, "pid", os.getpid())
            time.sleep(600)


        @flow
        def suspend(notes: str):
            note(notes, "attempts", time.time())
            suspend_flow_run(timeout=300, key="once")
            note(notes, "resumed", time.time())


        @flow
        def fail_once(notes: str):
            first = not os.path.exists(os.path.join(notes, "tries"))
            note(notes, "tries", time.time())
            if first:
                raise ValueError("the first time")


        @flow
        def child(notes: str, number: int):
            note(notes, "children", number)
            return number


        @flow
        def parent(notes: str):
            return [child(notes, 1), child(notes, 2)]


        @flow
        def clock(notes: str):
            note(notes, "time", time.time())
        """#

    /// A program that replaces a flow's engine and starts quickly. It sets the state Running and notes the run's id in
    /// the file of its first argument. Then it waits for a number of seconds or for a file, as the second argument
    /// states. At the end it sets the state Completed. With a third argument, it exits with code 3 after a last line.
    static let quickRun = #"""
        import http.client, json, os, sys, time, urllib.request

        run = os.environ["PREFECT__FLOW_RUN_ID"]


        def say(kind, name):
            body = json.dumps({"state": {"type": kind, "name": name}, "force": True}).encode()
            url = os.environ["PREFECT_API_URL"] + "/flow_runs/" + run + "/set_state"
            while True:
                try:
                    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
                    return urllib.request.urlopen(request, timeout=30).read()
                except (OSError, http.client.HTTPException):
                    time.sleep(0.2)


        def note(text):
            file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.write(file, f"{text} {run}\n".encode())


        say("RUNNING", "Running")
        note("begin")
        if sys.argv[2].startswith("/"):
            while not os.path.exists(sys.argv[2]):
                time.sleep(0.05)
        else:
            time.sleep(float(sys.argv[2]))
        note("end")
        if len(sys.argv) > 3:
            print("these are the last words", file=sys.stderr, flush=True)
            sys.exit(3)
        say("COMPLETED", "Completed")
        """#
}
