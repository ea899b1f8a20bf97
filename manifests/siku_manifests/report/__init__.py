"""The report: the manifests and findings of a run as one HTML file that needs nothing else.

    write_report   build folders -> report.html
    render_report  the same as a pure function: equal manifests and findings, equal bytes
    render_findings  blocks that belong to no stage, as a page of their own
    summary_lines  its headline as lines for a terminal

Times, hosts and durations stand in `run.json` only and are left out here, so that two people
who built the same data hold the same page.
"""

from siku_manifests.report.page import render_findings, render_report, summary_lines, write_report
from siku_manifests.report.stageview import StageView, read_stage

__all__ = ["StageView", "read_stage", "render_findings", "render_report", "summary_lines", "write_report"]
