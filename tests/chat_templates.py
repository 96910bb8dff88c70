"""A chat template of the hybrid kind, like that of Qwen3: it has a switch for reasoning."""

from __future__ import annotations

from pathlib import Path

HYBRID = """\
{%- for message in messages %}
    {%- if message.role == 'assistant' and '</think>' in message.content %}
        {%- set content = message.content.split('</think>')[-1].lstrip('\\n') %}
    {%- else %}
        {%- set content = message.content %}
    {%- endif %}
    {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- elif open_turn is defined and open_turn is true %}
        {{- '<think>\\n' }}
    {%- endif %}
{%- endif %}
"""
"""Off: an empty reasoning stands in the prompt. On: the model opens its reasoning itself, or with `open_turn` (an
argument of the tests) the prompt opens it, as that of DeepSeek-R1 does."""

ALWAYS = HYBRID.replace("enable_thinking is defined and enable_thinking is false", "false").replace(
    "open_turn is defined and open_turn is true", "true"
)
"""Without a switch: the prompt always opens the reasoning."""


def with_chat_template(model: Path, folder: Path, chat_template: str) -> Path:
    """Return the folder, with the files of the model (as links) and another chat template."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in model.iterdir():
        if file.name != "chat_template.jinja":
            (folder / file.name).symlink_to(file)
    (folder / "chat_template.jinja").write_text(chat_template, encoding="utf-8")
    return folder
