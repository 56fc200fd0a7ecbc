"""What Schemathesis cannot know of the API: OpenAPI cannot say that one member excludes or demands another."""

import schemathesis


@schemathesis.hook
def map_case(context, case):
    """A page begins at a cursor or at an offset; who wants an office's events names the office."""
    query = case.query
    if isinstance(query, dict) and "cursor" in query and "offset" in query:
        del query["offset"]
    if isinstance(case.body, dict) and case.body.get("scope") == "office" and case.body.get("office_id") is None:
        case.body["office_id"] = "7"
    return case
