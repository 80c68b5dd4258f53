CREATE TABLE schema_version (
    version INTEGER NOT NULL,
    PRIMARY KEY (version)
);
CREATE TABLE studies (
    name VARCHAR(64) NOT NULL,
    path TEXT NOT NULL,
    plan_hash VARCHAR(64) NOT NULL,
    last_run FLOAT NOT NULL,
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
    lease_until FLOAT,
    test_loss FLOAT,
    bits_per_byte FLOAT,
    diverged_at INTEGER,
    cause TEXT,
    last_loss FLOAT,
    steps INTEGER,
    tokens BIGINT,
    tokens_per_second FLOAT,
    started FLOAT,
    first_step FLOAT,
    finished FLOAT,
    provenance JSON,
    PRIMARY KEY (id),
    FOREIGN KEY(repeat_of) REFERENCES runs (id)
);
CREATE INDEX runs_by_family ON runs (family);
CREATE INDEX runs_by_state ON runs (state);
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
    tokens_per_second FLOAT NOT NULL,
    PRIMARY KEY (run_id, step),
    FOREIGN KEY(run_id) REFERENCES runs (id)
);
CREATE TABLE chunk_losses (
    run_id VARCHAR(80) NOT NULL,
    chunk INTEGER NOT NULL,
    loss FLOAT NOT NULL,
    PRIMARY KEY (run_id, chunk),
    FOREIGN KEY(run_id) REFERENCES runs (id)
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
