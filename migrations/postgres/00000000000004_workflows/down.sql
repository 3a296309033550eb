DROP TABLE workers, step_logs, step_items, step_values, step_runs, run_values, runs,
    pipeline_versions, pipelines;
