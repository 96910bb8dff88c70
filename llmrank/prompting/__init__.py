"""Prompt templates: find them, read them, check them, render them, and choose the solved examples they show."""

from llmrank.prompting.check import check, check_file
from llmrank.prompting.front import FrontMatter
from llmrank.prompting.library import find_template, load_template, load_templates, shipped_folder, template_paths
from llmrank.prompting.problem import Problem
from llmrank.prompting.shots import ShotPool, choose_shots
from llmrank.prompting.template import Fitted, PromptTemplate, read_template
from llmrank.prompting.view import View

__all__ = [
    "Fitted",
    "FrontMatter",
    "Problem",
    "PromptTemplate",
    "ShotPool",
    "View",
    "check",
    "check_file",
    "choose_shots",
    "find_template",
    "load_template",
    "load_templates",
    "read_template",
    "shipped_folder",
    "template_paths",
]
