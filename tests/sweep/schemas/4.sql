CREATE TABLE schema_version (
    version INTEGER NOT NULL,
    PRIMARY KEY (version)
);
CREATE TABLE studies (
    name VARCHAR(64) NOT NULL,
    path TEXT NOT NULL,
    plan_hash VARCHAR(64) NOT NULL,
    last_run FLOAT NOT NULL,
    paused FLOAT,
    imported BOOLEAN,
    PRIMARY KEY (name)
);
CREATE TABLE runs (
    id VARCHAR(80) NOT NULL,
    repeat_of VARCHAR(80),
    recipe JSON NOT NULL,
    corpus_hash VARCHAR(64) NOT NULL,
    family VARCHAR(64) NOT NULL,
    init_seed BIGINT NOT NULL,
    order_seed BIGINT NOT NULL,
    dropout_seed BIGINT NOT NULL,
    state VARCHAR(16) NOT NULL,
    owner VARCHAR(128),
    attempt INTEGER,
    beat INTEGER,
    failures INTEGER,
    retry_at FLOAT,
    test_loss FLOAT,
    bits_per_byte FLOAT,
    diverged_at INTEGER,
    cause TEXT,
    last_loss FLOAT,
    steps INTEGER,
    tokens BIGINT,
    tokens_per_second FLOAT,
    skipped_steps INTEGER,
    micro_batch INTEGER,
    processes INTEGER,
    notes JSON,
    started FLOAT,
    first_step FLOAT,
    finished FLOAT,
    provenance JSON,
    further JSON,
    PRIMARY KEY (id),
    FOREIGN KEY(repeat_of) REFERENCES runs (id)
);
CREATE INDEX runs_by_state ON runs (state);
CREATE INDEX runs_by_family ON runs (family);
CREATE INDEX runs_by_repeat ON runs (repeat_of);
CREATE TABLE noises (
    study VARCHAR(64) NOT NULL,
    fingerprint VARCHAR(64) NOT NULL,
    recipe JSON NOT NULL,
    corpus_hash VARCHAR(64) NOT NULL,
    device TEXT NOT NULL,
    measured FLOAT NOT NULL,
    content JSON NOT NULL,
    PRIMARY KEY (study, fingerprint)
);
CREATE TABLE plans (
    study VARCHAR(64) NOT NULL,
    hash VARCHAR(64) NOT NULL,
    content JSON NOT NULL,
    stored FLOAT NOT NULL,
    PRIMARY KEY (study, hash),
    FOREIGN KEY(study) REFERENCES studies (name)
);
CREATE TABLE arms (
    id INTEGER NOT NULL,
    study VARCHAR(64) NOT NULL,
    name VARCHAR(64) NOT NULL,
    position INTEGER NOT NULL,
    interventions JSON NOT NULL,
    changes JSON NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (study, name),
    FOREIGN KEY(study) REFERENCES studies (name)
);
CREATE TABLE attempts (
    run_id VARCHAR(80) NOT NULL,
    number INTEGER NOT NULL,
    claimed FLOAT NOT NULL,
    ended FLOAT,
    outcome VARCHAR(16),
    reason TEXT,
    peak_bytes BIGINT,
    PRIMARY KEY (run_id, number),
    FOREIGN KEY(run_id) REFERENCES runs (id)
);
CREATE TABLE curves (
    run_id VARCHAR(80) NOT NULL,
    step INTEGER NOT NULL,
    loss FLOAT,
    learning_rate FLOAT NOT NULL,
    grad_norm FLOAT,
    clipped FLOAT,
    skipped INTEGER,
    tokens_per_second FLOAT NOT NULL,
    PRIMARY KEY (run_id, step),
    FOREIGN KEY(run_id) REFERENCES runs (id)
);
CREATE TABLE metrics (
    run_id VARCHAR(80) NOT NULL,
    name VARCHAR(128) NOT NULL,
    value FLOAT NOT NULL,
    PRIMARY KEY (run_id, name),
    FOREIGN KEY(run_id) REFERENCES runs (id)
)
 WITHOUT ROWID;
CREATE TABLE metric_points (
    run_id VARCHAR(80) NOT NULL,
    name VARCHAR(128) NOT NULL,
    step INTEGER NOT NULL,
    value FLOAT NOT NULL,
    PRIMARY KEY (run_id, name, step),
    FOREIGN KEY(run_id) REFERENCES runs (id)
)
 WITHOUT ROWID;
CREATE TABLE chunk_losses (
    run_id VARCHAR(80) NOT NULL,
    chunk INTEGER NOT NULL,
    loss FLOAT NOT NULL,
    PRIMARY KEY (run_id, chunk),
    FOREIGN KEY(run_id) REFERENCES runs (id)
);
CREATE TABLE reference_models (
    study VARCHAR(64) NOT NULL,
    test_text VARCHAR(64) NOT NULL,
    weights_hash VARCHAR(64) NOT NULL,
    name TEXT NOT NULL,
    folder TEXT NOT NULL,
    test_loss FLOAT NOT NULL,
    bits_per_byte FLOAT NOT NULL,
    parameters BIGINT NOT NULL,
    context INTEGER NOT NULL,
    evaluated FLOAT NOT NULL,
    provenance JSON NOT NULL,
    PRIMARY KEY (study, test_text, weights_hash),
    FOREIGN KEY(study) REFERENCES studies (name)
);
CREATE TABLE trials (
    study VARCHAR(64) NOT NULL,
    search VARCHAR(64) NOT NULL,
    number INTEGER NOT NULL,
    arm TEXT NOT NULL,
    name TEXT NOT NULL,
    field_values JSON NOT NULL,
    sampler_state JSON NOT NULL,
    pruned_at INTEGER,
    refused TEXT,
    asked FLOAT NOT NULL,
    PRIMARY KEY (study, search, number),
    FOREIGN KEY(study) REFERENCES studies (name)
);
CREATE TABLE members (
    arm_id INTEGER NOT NULL,
    seed BIGINT NOT NULL,
    run_id VARCHAR(80) NOT NULL,
    PRIMARY KEY (arm_id, seed),
    FOREIGN KEY(arm_id) REFERENCES arms (id) ON DELETE CASCADE,
    FOREIGN KEY(run_id) REFERENCES runs (id)
);
CREATE INDEX members_by_run ON members (run_id);
