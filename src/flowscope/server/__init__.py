"""flowscope over HTTP and WebSocket.

app.py         create_app: the composition root          serving.py   the process: port, signals, the end
embedding.py   attach: in somebody else's application    services.py  what it is made of, started and stopped as one
settings.py    the environment, read once                security.py  the gate before everything
  credentials.py   keys, tickets, scopes                   origins.py   Host and Origin
  limits.py        token buckets                           bodies.py    how long, how deep, whether JSON
execute.py     POST /api/execute-workflow                waits.py     until a run has ended, or waits itself
histories.py   what the journal tells of one execution   records.py   how HTTP tells it
webhooks.py    inputs and signatures                     bench.py     one node, tried on its own
reporters.py   runs that are only reported               metrics.py   what Prometheus is told
problems.py    one table from error to status            schemas.py   the shapes of the OpenAPI document
routes/        the routes, one file a subject
"""

from flowscope.server.app import create_app
from flowscope.server.credentials import Principal
from flowscope.server.embedding import attach
from flowscope.server.execute import enhanced_execute_workflow
from flowscope.server.services import Services
from flowscope.server.settings import Settings

__all__ = ["Principal", "Services", "Settings", "attach", "create_app", "enhanced_execute_workflow"]
