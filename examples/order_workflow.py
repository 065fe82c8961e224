"""A workflow written in Python: the same JSON that an editor would write, built, run and printed.

python examples/order_workflow.py          runs it and prints its output
python examples/order_workflow.py --json   prints the workflow, for `flowscope run` or an editor
"""

from __future__ import annotations

import json
import sys

import flowscope
from flowscope.definition import WorkflowBuilder

ORDER = {
    "customer": "Ada",
    "lines": [
        {"article": "tea", "count": 3, "price": 4.5},
        {"article": "pot", "count": 1, "price": 39},
        {"article": "voucher", "count": 1, "price": 0},
    ],
}


def order_workflow() -> WorkflowBuilder:
    """Work out each line, several at a time; large orders travel free."""
    flow = WorkflowBuilder("order", name="Order", vars={"freeFrom": 50})
    order = flow.add("manual_trigger", id="order", label="An order")

    with flow.container("map", id="lines", label="Every line", items="{{ json.lines }}", concurrency=4) as lines:
        amount = flow.add("math", label="Count times price", operation="multiply", a="{{ count }}", b="{{ price }}")
        flow.add("log_output", label="Say so", message="{{ article }}: {{ result }}").after(amount)
    order >> lines

    goods = flow.add("aggregate", id="goods", label="Add up", field="result").after(lines)
    large = flow.add("if_else", id="large", label="A large order?", condition="goods.result >= vars.freeFrom")
    free = flow.add("set", id="free", label="It travels free", fields={"postage": 0})
    paid = flow.add("set", id="paid", label="Postage", fields={"postage": 5})
    goods >> large
    large["true"] >> free
    large["false"] >> paid

    total = "{{ goods.result + (free ?? paid).postage }}"
    done = flow.add("set", id="done", label="Done", fields={"customer": "{{ order.customer }}", "total": total})
    [free, paid] >> done
    return flow


if __name__ == "__main__":
    flow = order_workflow()
    if "--json" in sys.argv:
        print(json.dumps(flow.to_json(), indent=2))
    else:
        output = flowscope.run(flow.to_json(), ORDER, data_dir=None)
        print(json.dumps(output, indent=2))
