"""The node types that come with flowscope."""

from __future__ import annotations

from flowscope.nodes import (
    agent,
    approval,
    arithmetic,
    chat,
    code,
    command,
    containers,
    csv_files,
    database,
    dates,
    digests,
    embeddings,
    fields,
    files,
    flow,
    form,
    grouping,
    http,
    images,
    mail,
    markup,
    postgresql,
    python_function,
    rate_limit,
    redis_commands,
    response,
    shaping,
    simulation,
    tables,
    text,
    triggers,
    variables,
    yaml_text,
)
from flowscope.nodes.registry import Registry
from flowscope.nodes.sdk import NodeType

BUILTIN: tuple[NodeType, ...] = (
    triggers.manual_trigger,
    triggers.error_trigger,
    triggers.webhook,
    triggers.schedule,
    triggers.interval,
    triggers.form_trigger,
    triggers.workflow_trigger,
    triggers.file_watch,
    flow.noop,
    flow.merge,
    flow.if_else,
    flow.switch,
    flow.wait,
    approval.approval,
    form.form,
    rate_limit.rate_limit,
    response.respond_to_webhook,
    flow.error_handler,
    flow.stop_and_error,
    flow.execute_workflow,
    flow.log_output,
    containers.map_items,
    containers.loop,
    containers.split_in_batches,
    containers.try_catch,
    fields.set_fields,
    variables.set_variable,
    shaping.filter_items,
    shaping.sort_items,
    shaping.limit_items,
    shaping.remove_duplicates,
    shaping.split_out,
    grouping.aggregate,
    grouping.summarize,
    arithmetic.math_,
    text.text_formatter,
    text.json_parser,
    markup.html_extract,
    markup.xml,
    yaml_text.yaml,
    digests.crypto,
    dates.date_time,
    files.read_file,
    files.write_file,
    csv_files.csv_processor,
    tables.convert_to_file,
    tables.extract_from_file,
    images.image_manipulation,
    database.sqlite,
    postgresql.postgresql,
    redis_commands.redis,
    http.http_request,
    mail.send_email,
    code.code,
    code.javascript,
    python_function.python_function,
    command.execute_command,
    chat.chat_model,
    embeddings.embeddings,
    agent.ai_agent,
    simulation.simulate,
)

ALIASES: dict[str, tuple[str, ...]] = {"set": ("edit_fields",), "chat_model": ("openai_gpt",)}

INSTEAD: dict[str, str] = {
    "function": "Use javascript or code for code, python_function for a function of your own package",
    "chat_trigger": "Use manual_trigger: the run's input is its output, whoever starts it",
    "if": "Use if_else",
    "delay": "Use wait",
    "for_each": "Use map: one body run for each item",
    "while": "Use loop, with while",
}


def builtin_registry(entry_points: bool = True) -> Registry:
    """A registry of the built-in types and, with `entry_points`, those of installed packages."""
    registry = Registry(instead=INSTEAD)
    for node_type in BUILTIN:
        registry.add(node_type, *ALIASES.get(node_type.type, ()))
    if entry_points:
        registry.load_entry_points()
    return registry
