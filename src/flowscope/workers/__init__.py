"""Running nodes in other processes.

worker_pool.py     WorkflowWorkerPool: the `NodeRunner` that has processes
guest.py           a pool lent to an engine that comes and goes
waiting_line.py    who may start next: priority, fair shares, limits
crew.py            the processes: begun, given tasks, replaced
worker.py          one process as the pool sees it
spawner.py         the pool's end of the fork server
frames.py          what crosses between them, and how
answers.py         what a handler answered, on its way back

fork_server.py     the process that the others are forked from
child.py           in a worker process: tasks, the handler's words, the memory limit
handlers.py        in a worker process: from a name to the handler
"""
