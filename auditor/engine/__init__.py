"""Pure judgement: rules, evidence, waivers and a moment make a report. Nothing here touches a host."""

from auditor.engine.judge import JudgeOptions, judge

__all__ = ["JudgeOptions", "judge"]
