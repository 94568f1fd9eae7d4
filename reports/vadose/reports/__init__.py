"""Releases, runs and committed results become figures and pages; MkDocs makes the site of them."""

from vadose.reports.committed import Skill
from vadose.reports.data import Content, Release, Run, collect
from vadose.reports.generator import build_site, policy
from vadose.reports.headline import readme_table
from vadose.reports.project import site_project
from vadose.reports.render import DEFAULT_SITE_URL, Report, report
from vadose.reports.serving import following, server

__all__ = [
    "DEFAULT_SITE_URL",
    "Content",
    "Release",
    "Report",
    "Run",
    "Skill",
    "build_site",
    "collect",
    "following",
    "policy",
    "readme_table",
    "report",
    "server",
    "site_project",
]
