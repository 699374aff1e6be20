"""Renders a Helm chart: render_chart.py DIRECTORY VALUES. The values are JSON. Prints a JSON array of objects."""

import json
import sys

import yaml
from helm_python import Chart, HelmError

try:
    texts = Chart.load(sys.argv[1]).render(values=json.loads(sys.argv[2]), name="my-worker", namespace="prefect")
except HelmError as error:
    sys.exit(str(error))
print(json.dumps([found for text in texts.values() for found in yaml.safe_load_all(text) if found]))
