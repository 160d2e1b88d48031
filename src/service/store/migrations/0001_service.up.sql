-- Times are milliseconds since 1970 in UTC. Every statement is understood by SQLite and by PostgreSQL.

CREATE TABLE jobs (
    job_id TEXT PRIMARY KEY,
    benchmark_type TEXT NOT NULL,
    -- pending, running, completed, failed, cancelled
    state TEXT NOT NULL,
    -- What was asked for, as JSON.
    request TEXT NOT NULL,
    requested_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    started_at BIGINT,
    completed_at BIGINT,
    error TEXT,
    -- 1 where a process that ran it ended before it did.
    interrupted BIGINT NOT NULL DEFAULT 0,
    -- Who runs it, for how long if nothing more is heard, and how often it was taken: writes of an earlier
    -- runner carry a smaller token and are refused.
    runner TEXT,
    token BIGINT NOT NULL DEFAULT 0,
    leased_until BIGINT
);
CREATE INDEX jobs_by_state ON jobs (state, created_at);
CREATE INDEX jobs_by_time ON jobs (created_at);

-- What was said of a job's progress, as JSON, in order.
CREATE TABLE job_updates (
    job_id TEXT NOT NULL REFERENCES jobs (job_id) ON DELETE CASCADE,
    seq BIGINT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (job_id, seq)
);

CREATE TABLE results (
    filename TEXT PRIMARY KEY,
    job_id TEXT,
    benchmark_type TEXT NOT NULL,
    model TEXT,
    mode TEXT,
    created_at BIGINT NOT NULL,
    -- The arms in a few numbers, as JSON; absent where the file is no result.
    stats TEXT,
    body TEXT NOT NULL
);
CREATE INDEX results_by_time ON results (created_at);
CREATE INDEX results_by_job ON results (job_id);

CREATE TABLE llms (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    company_name TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE metrics (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);

CREATE TABLE simulations (
    id TEXT PRIMARY KEY,
    value DOUBLE PRECISION NOT NULL,
    llm_id TEXT NOT NULL REFERENCES llms (id) ON DELETE CASCADE,
    metric_id TEXT NOT NULL REFERENCES metrics (id) ON DELETE CASCADE
);
CREATE INDEX simulations_by_llm ON simulations (llm_id);
CREATE INDEX simulations_by_metric ON simulations (metric_id);

-- What was measured of a model by one result: all values of one metric in one workload.
CREATE TABLE measurements (
    filename TEXT NOT NULL REFERENCES results (filename) ON DELETE CASCADE,
    workload TEXT NOT NULL,
    -- simulated, replayed or live: what answered.
    mode TEXT NOT NULL,
    llm_id TEXT NOT NULL REFERENCES llms (id) ON DELETE CASCADE,
    metric_id TEXT NOT NULL REFERENCES metrics (id) ON DELETE CASCADE,
    measured_at BIGINT NOT NULL,
    -- A JSON array of numbers.
    sample TEXT NOT NULL,
    PRIMARY KEY (filename, workload, llm_id, metric_id)
);

-- The rankings as they are served: one row for each source, replaced in one step.
CREATE TABLE rankings (
    source TEXT PRIMARY KEY,
    generation BIGINT NOT NULL,
    made_at BIGINT NOT NULL,
    body TEXT NOT NULL
);

-- Who may do what only one may do at a time. Whoever takes a lease gets a higher token than all before.
CREATE TABLE leases (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    token BIGINT NOT NULL,
    leased_until BIGINT NOT NULL
);

CREATE TABLE schedule_runs (
    task TEXT NOT NULL,
    due_at BIGINT NOT NULL,
    -- running, done, failed, missed
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    started_at BIGINT,
    finished_at BIGINT,
    runner TEXT,
    token BIGINT,
    detail TEXT,
    PRIMARY KEY (task, due_at)
);

-- Browsers that presented a key: the SHA-256 of what their cookie holds.
CREATE TABLE sessions (
    digest TEXT PRIMARY KEY,
    key_name TEXT NOT NULL,
    -- Tells the key from another one of its name.
    key_mark TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
