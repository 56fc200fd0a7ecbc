"""Invokes the migrator of a stack, and fails when it fails: .ci/migrator.py <stack> <action>...

`sam remote invoke` ends with 0 whatever the function says, and gives up after a minute, while a migration may take five.
"""

import json
import sys

import botocore.config
import botocore.session


def main(stack, actions):
    # One try: the function may be at work still, and only one of it runs at a time.
    patient = botocore.config.Config(read_timeout=310, retries={"total_max_attempts": 1})
    session = botocore.session.get_session()
    cloudformation, functions = (session.create_client(service, config=patient) for service in ("cloudformation", "lambda"))
    resource = cloudformation.describe_stack_resource(StackName=stack, LogicalResourceId="MigratorFunction")
    name = resource["StackResourceDetail"]["PhysicalResourceId"]
    for action in actions:
        answer = functions.invoke(FunctionName=name, Payload=json.dumps({"action": action}).encode())
        print(f"{action}: {answer['Payload'].read().decode()}", flush=True)
        if "FunctionError" in answer:
            sys.exit(f"the migrator failed to {action}")


if len(sys.argv) < 3:
    sys.exit(__doc__)
main(sys.argv[1], sys.argv[2:])
