"""Cycles in a directed graph whose nodes are numbers. Nothing here recurses: a chain may be 100,000 nodes long."""

from __future__ import annotations

from collections import deque

Graph = list[list[int]]
"""For each node the numbers of the nodes behind its edges."""


def cycles(graph: Graph) -> list[list[int]]:
    """One cycle for each knot of nodes that all lead to each other: a shortest one through the knot's first node."""
    left = _after_peeling(graph)
    if not left:
        return []
    knots = [knot for knot in _components(graph, left) if len(knot) > 1]
    return sorted(_shortest(graph, min(knot), set(knot)) for knot in knots)


def _after_peeling(graph: Graph) -> set[int]:
    """What is in a cycle or behind one. Most graphs end here, empty."""
    waiting_for = [0] * len(graph)
    for targets in graph:
        for target in targets:
            waiting_for[target] += 1
    free = [number for number, count in enumerate(waiting_for) if not count]
    for number in free:
        for target in graph[number]:
            waiting_for[target] -= 1
            if not waiting_for[target]:
                free.append(target)
    return set(range(len(graph))) - set(free) if len(free) < len(graph) else set()


def _components(graph: Graph, among: set[int]) -> list[list[int]]:
    """Strongly connected components (Tarjan 1972), with the call stack as a list."""
    order: dict[int, int] = {}
    lowest: dict[int, int] = {}
    open_nodes: list[int] = []
    is_open: set[int] = set()
    found: list[list[int]] = []
    for root in sorted(among):
        if root in order:
            continue
        path = [(root, iter(graph[root]))]
        order[root] = lowest[root] = len(order)
        open_nodes.append(root)
        is_open.add(root)
        while path:
            node, targets = path[-1]
            target = next((target for target in targets if target not in order or target in is_open), None)
            if target is None:
                path.pop()
                if path:
                    above = path[-1][0]
                    lowest[above] = min(lowest[above], lowest[node])
                if lowest[node] == order[node]:
                    found.append(_popped(open_nodes, node))
                    is_open.difference_update(found[-1])
            elif target in order:
                lowest[node] = min(lowest[node], order[target])
            else:
                path.append((target, iter(graph[target])))
                order[target] = lowest[target] = len(order)
                open_nodes.append(target)
                is_open.add(target)
    return found


def _popped(stack: list[int], last: int) -> list[int]:
    popped = [stack.pop()]
    while popped[-1] != last:
        popped.append(stack.pop())
    return popped


def _shortest(graph: Graph, start: int, among: set[int]) -> list[int]:
    """The nodes of a shortest way from `start` back to itself, which exists."""
    came_from: dict[int, int] = {}
    queue = deque([start])
    while queue:
        node = queue.popleft()
        for target in graph[node]:
            if target == start:
                way = [node]
                while way[-1] != start:
                    way.append(came_from[way[-1]])
                return way[::-1]
            if target in among and target not in came_from:
                came_from[target] = node
                queue.append(target)
    raise AssertionError("Nodes of one component always lead back")
