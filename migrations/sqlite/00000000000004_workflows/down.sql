DROP TABLE workers; DROP TABLE step_logs; DROP TABLE step_items; DROP TABLE step_values; DROP TABLE step_runs;
DROP TABLE run_values; DROP TABLE runs; DROP TABLE pipeline_versions; DROP TABLE pipelines;
