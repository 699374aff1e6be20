#!/usr/bin/env bash
# Checks the alert rules, their tests and the scrape configuration with promtool (Debian's package prometheus). With the
# URL of a Prometheus that scrapes a worker, also runs every query of the dashboard there, and prints the number of
# series of each.
#   ./check.sh [http://localhost:9090]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

promtool check rules alerts.yaml
promtool check config prometheus.yml
promtool test rules alerts_test.yaml
[[ $# -gt 0 ]] || exit 0

exec python3 - "$1" ../grafana/dashboard.json <<'PYTHON'
import json, sys, urllib.error, urllib.parse, urllib.request

url, path = sys.argv[1:]
with open(path) as file:
    dashboard = json.load(file)

def ask(route, **query):
    address = f"{url}/api/v1/{route}?{urllib.parse.urlencode(query)}"
    try:
        with urllib.request.urlopen(address, timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return json.load(error)

def filled(query):
    for name, value in {"$__rate_interval": "1m", "$__range": "1h"}.items():
        query = query.replace(name, value)
    for variable in dashboard["templating"]["list"]:
        query = query.replace("$" + variable["name"], ".*")
    return query

def check(title, answer):
    failed = answer["status"] != "success"
    data = answer.get("data")
    count = len(data["result"] if isinstance(data, dict) else data or [])
    print(f"{title}: " + (answer["error"] if failed else f"{count} series" if count else "no data"))
    return failed

failures = 0
for variable in dashboard["templating"]["list"]:
    if variable["type"] == "query":
        metric, label = variable["query"]["query"].removeprefix("label_values(").removesuffix(")").rsplit(", ", 1)
        failures += check(f"Variable {variable['name']}", ask(f"label/{label}/values", **{"match[]": filled(metric)}))
for panel in dashboard["panels"]:
    for target in panel.get("targets", []):
        failures += check(f"{panel['title']} {target['refId']}", ask("query", query=filled(target["expr"])))
sys.exit(1 if failures else 0)
PYTHON
