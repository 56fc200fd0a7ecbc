"""What Schemathesis cannot know of the API: OpenAPI cannot say that one member excludes or demands another."""

import itertools

import schemathesis

KEYS = itertools.count()


@schemathesis.hook
def map_case(context, case):
    """Makes of what fits the document, member by member, what is meant as a whole."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return case
    query, body = case.query, case.body
    # Of a key that was used before the answer is known, or it belongs to another body.
    if "Idempotency-Key" in (case.headers or {}):
        case.headers["Idempotency-Key"] = f"contract-{next(KEYS)}"
    # A page begins at a cursor or at an offset.
    if isinstance(query, dict) and "cursor" in query and "offset" in query:
        del query["offset"]
    if isinstance(body, dict):
        # Who wants the company's events names no office.
        if body.get("scope") == "company":
            body.pop("office_id", None)
        # What began after one time and before another: the one is before the other, and both are over.
        if "started_after" in body:
            body["started_after"] = "2020-05-28T20:26:40Z"
            if body.get("started_before") is not None:
                body["started_before"] = "2020-05-28T21:26:40Z"
        # A batch maps nobody twice.
        if isinstance(body.get("mappings"), list):
            body["mappings"] = list({identity(mapping): mapping for mapping in body["mappings"]}.values())
    return case


def identity(mapping):
    """Whom a mapping is about: an id is the same as a number and as its digits."""
    user = mapping["dialpad_user_id"]
    return user if isinstance(user, str) else str(int(user))
