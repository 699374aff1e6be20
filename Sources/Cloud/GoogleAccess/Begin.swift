internal import JSON
