"""Prompt templates: find, read, check and render them, and choose their solved examples."""

from llmrank.prompting.check import check, check_file, difference, shared_prefix, transcript
from llmrank.prompting.front import parse_extra_body, parse_thinking
from llmrank.prompting.identifiers import find_labels
from llmrank.prompting.library import (
    compared_templates,
    describe_templates,
    find_template,
    load_template,
    shipped_folder,
    shipped_path,
    shipped_wordings,
    template_origin,
    template_paths,
)
from llmrank.prompting.shots import ShotPool
from llmrank.prompting.template import PromptTemplate, read_template
from llmrank.prompting.view import DOMAINS, View, find_domain

__all__ = [
    "DOMAINS",
    "PromptTemplate",
    "ShotPool",
    "View",
    "check",
    "check_file",
    "compared_templates",
    "describe_templates",
    "difference",
    "find_domain",
    "find_labels",
    "find_template",
    "load_template",
    "parse_extra_body",
    "parse_thinking",
    "read_template",
    "shared_prefix",
    "shipped_folder",
    "shipped_path",
    "shipped_wordings",
    "template_origin",
    "template_paths",
    "transcript",
]
