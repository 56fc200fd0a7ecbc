"""Cuts Dialpad's published OpenAPI document down to what this project asks of Dialpad.

    .ci/cut_dialpad_spec.py <dialpad_api_spec.json> > local/src/dialpad/openapi.json

The document is in github.com/dialpad/dialpad-python-sdk. What stays are the operations below, with parameters and bodies
of requests: the fake Dialpad of `local` refuses what they do not allow. Answers, texts and examples go.
"""

import json
import sys

OPERATIONS = {
    "/oauth2/authorize": ["get"],
    "/oauth2/token": ["post"],
    "/oauth2/deauthorize": ["post"],
    "/api/v2/call": ["get"],
    "/api/v2/call/{id}": ["get"],
    "/api/v2/company": ["get"],
    "/api/v2/subscriptions/agent_status": ["get", "post"],
    "/api/v2/subscriptions/agent_status/{id}": ["delete", "patch"],
    "/api/v2/subscriptions/call": ["get", "post"],
    "/api/v2/subscriptions/call/{id}": ["delete", "patch"],
    "/api/v2/subscriptions/sms": ["get", "post"],
    "/api/v2/subscriptions/sms/{id}": ["delete", "patch"],
    "/api/v2/users/{id}": ["get"],
    "/api/v2/users/{id}/initiate_call": ["post"],
    "/api/v2/webhooks": ["get", "post"],
    "/api/v2/webhooks/{id}": ["delete", "patch"],
}
TEXTS = {"description", "summary", "example", "examples", "title", "deprecated", "tags"}


def without_texts(value, of_properties=False):
    if isinstance(value, list):
        return [without_texts(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: without_texts(member, name == "properties")
        for name, member in value.items()
        if of_properties or name not in TEXTS
    }


def references(value):
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"].rsplit("/", 1)[1]
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from references(item)


with open(sys.argv[1]) as file:
    full = json.load(file)

paths = {}
for path, methods in OPERATIONS.items():
    for method in methods:
        operation = full["paths"][path][method]
        kept = {name: operation[name] for name in ("operationId", "parameters", "requestBody") if name in operation}
        paths.setdefault(path, {})[method] = without_texts(kept)

schemas, todo = {}, list(references(paths))
while todo:
    name = todo.pop()
    if name not in schemas:
        schemas[name] = without_texts(full["components"]["schemas"][name])
        todo += references(schemas[name])

cut = {"openapi": full["openapi"], "info": {"title": "Dialpad, cut", "version": full["info"]["version"]}}
json.dump(cut | {"paths": paths, "components": {"schemas": dict(sorted(schemas.items()))}}, sys.stdout, indent=1)
print()
