"""What Schemathesis cannot know of the API: OpenAPI cannot say that one query parameter excludes another."""

import schemathesis


@schemathesis.hook
def map_case(context, case):
    """A page begins at a cursor or at an offset."""
    query = case.query
    if isinstance(query, dict) and "cursor" in query and "offset" in query:
        del query["offset"]
    return case
