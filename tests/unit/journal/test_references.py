"""What lines refer to."""

from flowscope.execution.events import Blob, NodeSucceeded, NodeSuspended, encode_lines
from flowscope.journal.references import references

A, B = "a" * 64, "0123456789abcdef" * 4


def test_payloads_and_definitions_of_children_are_found() -> None:
    lines = encode_lines(
        [
            NodeSucceeded(seq=1, at=1.0, node_id="n", output_blob=Blob(sha256=A, size=1)),
            NodeSuspended(seq=2, at=1.0, node_id="n", kind="child", child="c", child_definition=B),
        ]
    )
    assert references(lines) == {bytes.fromhex(A), bytes.fromhex(B)}


def test_most_lines_refer_to_nothing() -> None:
    assert references(encode_lines([NodeSucceeded(seq=1, at=1.0, node_id="sha256")])) == set()


def test_what_only_looks_like_a_reference_does_no_harm() -> None:
    assert references(b'{"sha256":"not hex"}\n{"childDefinition":"abc"}\n\xff\x00') == set()
