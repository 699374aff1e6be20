"""A flow of two tasks, for the quickstart."""

from prefect import flow, get_run_logger, task


@task
def greeting(name: str) -> str:
    return f"Hello, {name}!"


@task
def shout(text: str) -> str:
    return text.upper()


@flow
def hello(name: str = "world") -> str:
    text = shout(greeting(name))
    get_run_logger().info(text)
    return text
