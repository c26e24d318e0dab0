"""Where the dashboards for Grafana come from: `python -m dashboards.source` writes `dashboards/grafana/*.json`.

`boards` says what is on each dashboard; `query` makes PromQL; `looks` has colours, names of states and units; `panels`
and `table` are the kinds of panel; `dashboard` lays them out. The JSON is that of Grafana 10.1 (schema version 36),
which every later one reads.
"""
