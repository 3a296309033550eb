//! The tables as diesel sees them. A test compares them with the migrated database.

diesel::table! {
    events (sequence) {
        sequence -> BigInt,
        id -> Uuid,
        organization_id -> Nullable<Uuid>,
        actor_id -> Nullable<Uuid>,
        aggregate_kind -> Text,
        aggregate_id -> Uuid,
        kind -> Text,
        payload -> Json,
        occurred_at -> Timestamptz,
        published_at -> Nullable<Timestamptz>,
        transaction -> BigInt,
        position -> Nullable<BigInt>,
        mac -> Nullable<Binary>,
    }
}

diesel::table! {
    chains (organization_id) {
        organization_id -> Uuid,
        base_position -> BigInt,
        base_mac -> Binary,
        position -> BigInt,
        mac -> Binary,
        begins_at -> Nullable<Timestamptz>,
        seal -> Binary,
    }
}

diesel::table! {
    data_keys (id) {
        id -> Integer,
        wrapped -> Binary,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    idempotency_keys (key) {
        key -> Binary,
        fingerprint -> Binary,
        answer -> Nullable<Binary>,
        claimed_at -> Timestamptz,
        leased_until -> Timestamptz,
    }
}

diesel::table! {
    leases (name) {
        name -> Text,
        holder -> Uuid,
        until -> Timestamptz,
    }
}

diesel::table! {
    users (id) {
        id -> Uuid,
        email -> Text,
        name -> Text,
        password_hash -> Nullable<Text>,
        version -> BigInt,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    sessions (id) {
        id -> Uuid,
        token -> Binary,
        user_id -> Uuid,
        active_organization_id -> Uuid,
        user_agent -> Nullable<Text>,
        created_at -> Timestamptz,
        refreshed_at -> Timestamptz,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    spent_tokens (token) {
        token -> Binary,
        session_id -> Uuid,
    }
}

diesel::table! {
    api_keys (id) {
        id -> Uuid,
        token -> Binary,
        user_id -> Uuid,
        organization_id -> Uuid,
        name -> Text,
        prefix -> Text,
        scopes -> Array<Text>,
        created_at -> Timestamptz,
        expires_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    signing_keys (id) {
        id -> Uuid,
        public_key -> Binary,
        sealed_private_key -> Binary,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    organizations (id) {
        id -> Uuid,
        name -> Text,
        plan -> Text,
        credits -> BigInt,
        personal_of -> Nullable<Uuid>,
        version -> BigInt,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    members (id) {
        id -> Uuid,
        user_id -> Uuid,
        organization_id -> Uuid,
        role -> Text,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    invitations (id) {
        id -> Uuid,
        organization_id -> Uuid,
        token -> Binary,
        email -> Text,
        role -> Text,
        status -> Text,
        invited_by -> Uuid,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    usage_tallies (id) {
        id -> BigInt,
        mark -> Text,
        is_read -> Bool,
    }
}

diesel::table! {
    usage (organization_id, tally, day, figure) {
        organization_id -> Uuid,
        tally -> BigInt,
        day -> Integer,
        figure -> Text,
        amount -> BigInt,
    }
}

diesel::table! {
    pipelines (id) {
        id -> Uuid,
        organization_id -> Uuid,
        name -> Text,
        description -> Nullable<Text>,
        version -> BigInt,
        created_by -> Uuid,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    pipeline_versions (organization_id, pipeline_id, version) {
        organization_id -> Uuid,
        pipeline_id -> Uuid,
        version -> BigInt,
        definition -> Json,
    }
}

diesel::table! {
    runs (id) {
        id -> Uuid,
        organization_id -> Uuid,
        pipeline_id -> Uuid,
        pipeline_version -> BigInt,
        status -> Text,
        progress -> Integer,
        created_by -> Uuid,
        created_at -> Timestamptz,
        started_at -> Nullable<Timestamptz>,
        completed_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    run_values (run_id) {
        run_id -> Uuid,
        organization_id -> Uuid,
        input -> Json,
        output -> Nullable<Json>,
        error -> Nullable<Json>,
    }
}

diesel::table! {
    step_runs (id) {
        id -> Uuid,
        organization_id -> Uuid,
        run_id -> Uuid,
        step -> Text,
        tool -> Text,
        parent -> Nullable<Uuid>,
        item -> Nullable<Integer>,
        status -> Text,
        attempt -> Integer,
        crashes -> Integer,
        sleeps -> Integer,
        ready_at -> Nullable<Timestamptz>,
        worker -> Nullable<Uuid>,
        fence -> BigInt,
        items_total -> Nullable<Integer>,
        items_started -> Nullable<Integer>,
        items_done -> Nullable<Integer>,
        items_failed -> Nullable<Integer>,
        created_at -> Timestamptz,
        started_at -> Nullable<Timestamptz>,
        completed_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    step_values (step_run_id) {
        step_run_id -> Uuid,
        organization_id -> Uuid,
        input -> Nullable<Json>,
        output -> Nullable<Json>,
        error -> Nullable<Json>,
    }
}

diesel::table! {
    step_items (step_run_id, item) {
        step_run_id -> Uuid,
        item -> Integer,
        organization_id -> Uuid,
        value -> Json,
    }
}

diesel::table! {
    step_logs (sequence) {
        sequence -> BigInt,
        organization_id -> Uuid,
        run_id -> Uuid,
        step_run_id -> Uuid,
        at -> Timestamptz,
        level -> Text,
        message -> Text,
    }
}

diesel::table! {
    workers (id) {
        id -> Uuid,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    artifacts (id) {
        id -> Uuid,
        organization_id -> Uuid,
        name -> Text,
        media_type -> Text,
        size -> BigInt,
        sha256 -> Binary,
        blob_key -> Text,
        metadata -> Jsonb,
        index_status -> Text,
        index_error -> Nullable<Text>,
        index_due -> Nullable<Timestamptz>,
        index_attempts -> Integer,
        index_fence -> BigInt,
        chunk_count -> Integer,
        version -> BigInt,
        created_by -> Nullable<Uuid>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        content -> Nullable<Text>,
    }
}

diesel::table! {
    labels (id) {
        id -> Uuid,
        organization_id -> Uuid,
        name -> Text,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    artifact_labels (artifact_id, label_id) {
        artifact_id -> Uuid,
        label_id -> Uuid,
        organization_id -> Uuid,
    }
}

diesel::table! {
    blob_deletions (blob_key) {
        blob_key -> Text,
        organization_id -> Uuid,
        due -> Timestamptz,
    }
}

diesel::table! {
    erasures (organization_id) {
        organization_id -> Uuid,
        begun_at -> Timestamptz,
        due -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    embedding_models (id) {
        id -> BigInt,
        name -> Text,
        dimensions -> Integer,
    }
}

diesel::table! {
    chunks (sequence) {
        sequence -> BigInt,
        id -> Uuid,
        organization_id -> Uuid,
        artifact_id -> Uuid,
        position -> Integer,
        start_offset -> BigInt,
        end_offset -> BigInt,
        embedding_model -> Nullable<BigInt>,
        embed_due -> Timestamptz,
        embed_attempts -> Integer,
        text -> Text,
    }
}

diesel::table! {
    chunk_embeddings (chunk) {
        chunk -> BigInt,
        id -> Uuid,
        organization_id -> Uuid,
        artifact_id -> Uuid,
        model -> BigInt,
    }
}

diesel::joinable!(members -> organizations (organization_id));
diesel::joinable!(run_values -> runs (run_id));
diesel::joinable!(spent_tokens -> sessions (session_id));
diesel::joinable!(step_items -> step_runs (step_run_id));
diesel::joinable!(step_logs -> runs (run_id));
diesel::joinable!(step_runs -> runs (run_id));
diesel::joinable!(step_values -> step_runs (step_run_id));
diesel::allow_tables_to_appear_in_same_query!(members, organizations);
diesel::allow_tables_to_appear_in_same_query!(sessions, spent_tokens);
diesel::allow_tables_to_appear_in_same_query!(pipeline_versions, pipelines);
diesel::allow_tables_to_appear_in_same_query!(
    run_values,
    runs,
    step_items,
    step_logs,
    step_runs,
    step_values,
    workers,
);
